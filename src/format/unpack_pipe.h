// A packed file as a path that holds what is in it, for a reader that opens paths: it is unpacked
// once, by us, while it is read. DuckDB unpacks too, but takes the end of a file that was cut off
// for its end, so that each had to be unpacked before to be sure.
#pragma once

#include <memory>
#include <string>

#include "base/files.h"
#include "base/result.h"

namespace sluice::format {

class UnpackPipe {
 public:
  // `name` is what messages call the file. A thread unpacks as fast as the pipe is read.
  static Result<std::unique_ptr<UnpackPipe>> Start(Files& files, const std::string& path,
                                                   const std::string& name);
  virtual ~UnpackPipe() = default;  // stops

  // May be opened and read once, by this process.
  virtual const std::string& path() const = 0;
  // When the reader is done: what was wrong with the bytes that it got. What it did not read is not
  // looked at.
  virtual Status Finish() = 0;
};

}  // namespace sluice::format
