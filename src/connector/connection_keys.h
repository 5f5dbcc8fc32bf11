// What the connections of several systems say alike.
#pragma once

#include <cstdint>
#include <string_view>

#include "spec/field.h"

namespace sluice {

// The keys that the connector's own spec has.
Node WithoutType(const Node& connection);
// Where a key is written; the connection itself where it is not.
const Mark& PlaceOf(const Node& connection, std::string_view key);

// kConfig with places.
Status CheckPassword(const Node& connection, const Written& password);
Status CheckPort(const Node& connection, int64_t port, int64_t standard);
Status CheckReaders(const Node& connection, int64_t readers);

}  // namespace sluice
