// What a `sqlite` connection in sluice.yml says.
#pragma once

#include <chrono>
#include <string>

#include "connector/registry.h"
#include "spec/field.h"

namespace sluice::sqlite {

struct Settings {
  std::string path;
  std::chrono::microseconds wait{std::chrono::seconds(30)};  // for others that hold the file
};

Spec<Settings> SettingsSpec();
// kConfig with places. No I/O.
Result<Settings> ReadSettings(const Node* connection);

}  // namespace sluice::sqlite
