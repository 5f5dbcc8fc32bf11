// A real S3 server for tests: MinIO on a free loopback port, in a temporary folder, started once
// per test program and ended with it.
#pragma once

#include <sys/types.h>

#include <string>

#include "connector/registry.h"
#include "connector/s3/bucket.h"

namespace sluice::s3 {

class TestServer {
 public:
  // Null where none is installed: the test is skipped.
  static TestServer* Shared();
  ~TestServer();

  std::string NewBucket(const ConnectorContext& context);
  Node ConnectionTo(const std::string& bucket) const;  // secret_key: env:SLUICE_TEST_S3_SECRET
  std::unique_ptr<Bucket> Connect(const std::string& bucket, const ConnectorContext& context) const;
  int port() const { return port_; }

 private:
  bool Start(const std::string& program);

  std::string folder_;
  int port_ = 0;
  pid_t pid_ = 0;
  int buckets_ = 0;
};

}  // namespace sluice::s3
