// The whole JSON library (1.5 s to compile): include it in .cc files only.
#pragma once

#include <nlohmann/json.hpp>

#include "base/json.h"
