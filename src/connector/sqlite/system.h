// SQLite as tables/system.h wants it: where its SQL differs from that of others.
#pragma once

#include <memory>
#include <string>

#include "connector/sqlite/settings.h"
#include "connector/tables/system.h"

namespace sluice::sqlite {

// `path`: the file as it is opened.
std::shared_ptr<const tables::System> MakeSystem(Settings settings, std::string path, Files& files);

}  // namespace sluice::sqlite
