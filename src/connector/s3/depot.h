// A bucket as the place of a file sink's objects and decisions.
//
// A sealed draft is a multipart upload of its final key that is not finished: nobody sees it. The
// manifest holds the upload's id and parts; it is put with If-None-Match: *, so that one of two
// deciders is refused, and it is the decision. Placing is finishing the upload, which replaces an
// object of that key whole.
//
// Killed at any point:
//   before the uploads       `<epoch>.landing` (the keys to come) is there: Sweep removes it
//   during the uploads       Sweep ends every upload of those keys, and removes `<epoch>.landing`
//   the manifest was sent    its answer is lost: kUnsettled, the driver asks for the record
//   after the manifest       Sweep finishes the uploads that are not finished
//   some uploads finished    an upload that is not there any more was finished: its object carries
//                            the upload's own mark
//   after all                `<epoch>.landing` goes last; without it there is nothing to do
#pragma once

#include <memory>
#include <string>

#include "connector/file/depot.h"
#include "connector/s3/settings.h"

namespace sluice::s3 {

// `root`: what the keys begin with, without a slash at its end; "." for none.
std::unique_ptr<Depot> BucketDepot(const Settings& settings, const ConnectorContext& context,
                                   const std::string& root);

}  // namespace sluice::s3
