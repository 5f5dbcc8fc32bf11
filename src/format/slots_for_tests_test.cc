// The columns of slots_for_tests.h.
#include "format/slots_for_tests.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "format/ndjson.h"

namespace sluice::format {
namespace {

template <class T>
std::string Show(const std::vector<uint64_t>& values, uint64_t row) {
  T value;
  std::memcpy(&value, reinterpret_cast<const char*>(values.data()) + row * sizeof(T), sizeof(T));
  return fmt::format("{}", value);
}

std::string ShowAs(Physical type, const std::vector<uint64_t>& values, uint64_t row) {
  switch (type) {
    case Physical::kBool:
      return Show<bool>(values, row);
    case Physical::kInt8:
      return std::to_string(reinterpret_cast<const int8_t*>(values.data())[row]);
    case Physical::kInt16:
      return Show<int16_t>(values, row);
    case Physical::kInt32:
    case Physical::kDate:
      return Show<int32_t>(values, row);
    case Physical::kUint8:
      return std::to_string(reinterpret_cast<const uint8_t*>(values.data())[row]);
    case Physical::kUint16:
      return Show<uint16_t>(values, row);
    case Physical::kUint32:
      return Show<uint32_t>(values, row);
    case Physical::kUint64:
      return Show<uint64_t>(values, row);
    case Physical::kFloat:
      return Show<float>(values, row);
    case Physical::kDouble:
      return Show<double>(values, row);
    default:
      return Show<int64_t>(values, row);
  }
}

}  // namespace

TestSlots::TestSlots(const Schema& schema, const std::vector<uint64_t>& projected,
                     uint64_t capacity)
    : capacity_(capacity), memory_(projected.size()), offsets_(capacity) {
  for (size_t i = 0; i < projected.size(); ++i) {
    Memory& memory = memory_[i];
    memory.type = PhysicalOf(schema[projected[i]].type);
    memory.values.resize(capacity);
    memory.validity.resize(capacity / 64 + 1);
    memory.texts.resize(capacity);
    slots_.push_back({.type = memory.type,
                      .values = memory.values.data(),
                      .validity = memory.validity.data(),
                      .text_owner = &memory,
                      .put_text = [](void* owner, uint64_t row, const char* bytes, uint64_t size) {
                        static_cast<Memory*>(owner)->texts[row].assign(bytes, size);
                      }});
  }
}

Slots TestSlots::Reset() {
  for (Memory& memory : memory_)
    std::fill(memory.validity.begin(), memory.validity.end(), ~uint64_t{0});
  return {.columns = slots_, .capacity = capacity_};
}

std::vector<std::string> TestSlots::Row(uint64_t row) const {
  std::vector<std::string> shown;
  for (const Memory& memory : memory_) {
    if ((memory.validity[row / 64] >> (row % 64) & 1) == 0) {
      shown.emplace_back("NULL");
    } else {
      shown.push_back(memory.type == Physical::kText ? memory.texts[row]
                                                     : ShowAs(memory.type, memory.values, row));
    }
  }
  return shown;
}

Block BlockOf(std::string_view bytes, int64_t first, std::string partition) {
  Block block;
  block.bytes.assign(bytes.begin(), bytes.end());
  block.bytes.resize(bytes.size() + 64);
  block.size = bytes.size();
  block.partition = std::move(partition);
  block.first = first;
  return block;
}

Decoded Decode(Decoder& decoder, const Block& block, TestSlots& slots) {
  Decoded decoded;
  uint64_t at = 0;
  while (at < block.size) {
    const uint64_t before = at;
    const auto filled =
        decoder.Fill(block, at, slots.Reset(), slots.offsets(), decoded.read,
                     [&](Letter letter) { decoded.letters.push_back(std::move(letter)); });
    EXPECT_TRUE(filled.ok());
    EXPECT_TRUE(at > before) << "no progress at " << at;
    if (!filled.ok() || at <= before) break;
    for (uint64_t row = 0; row < *filled; ++row) {
      decoded.rows.push_back(slots.Row(row));
      decoded.offsets.push_back(slots.offsets()[row]);
    }
  }
  return decoded;
}

Decoded DecodeAll(const Schema& schema, std::string_view bytes, uint64_t capacity) {
  std::vector<uint64_t> projected(schema.size());
  std::iota(projected.begin(), projected.end(), 0);
  TestSlots slots(schema, projected, capacity);
  return Decode(*MakeNdjsonDecoder(schema, projected), BlockOf(bytes), slots);
}

}  // namespace sluice::format
