// The text is tokenised in chunks of about 64 KiB (they stay in the cache), then walked line by
// line. Only where a chunk is damaged are its lines tokenised one by one, so that one bad line
// costs its neighbours nothing.
#include "format/ndjson.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "base/text.h"
#include "format/json_cursor.h"
#include "format/json_tokens.h"
#include "format/json_value.h"

namespace sluice::format {
namespace {

constexpr size_t kChunkBytes = 64 << 10;
constexpr size_t kPredictedFields = 256;
constexpr size_t kMaxShownBytes = 200;  // of a value in a message
constexpr int kNoColumn = -1;
constexpr size_t kUnknownKey = static_cast<size_t>(-1);  // the column of a Wrong

// A type whose text is JSON itself: the cast wants the quotes of a string too.
bool WantsJson(std::string_view type) {
  const std::string name = ToLower(Trim(type));
  return name == "json" || EndsWith(name, "]") || StartsWith(name, "struct") ||
         StartsWith(name, "map") || StartsWith(name, "union") || name == "variant";
}

const char* Describe(TokenFault fault) {
  switch (fault) {
    case TokenFault::kEncoding:
      return "not UTF-8";
    case TokenFault::kControl:
      return "a control character inside a string, or a string without its closing quote";
    default:
      return "a string without its closing quote";
  }
}

struct Target {
  Column column;
  Physical physical = Physical::kText;
  bool wants_json = false;
  int slot = kNoColumn;  // index among the slots; kNoColumn: checked, not stored
  uint64_t seen = 0;     // the record that last had it
};

struct Wrong {
  size_t column = 0;
  ValueFault fault = ValueFault::kNone;
  std::string value;
};

class NdjsonDecoder final : public Decoder {
 public:
  // `others`: keys that may come besides; null: any.
  NdjsonDecoder(const Schema& schema, const std::vector<uint64_t>& projected,
                std::optional<std::vector<std::string>> others)
      : others_(std::move(others)) {
    for (const Column& column : schema) {
      targets_.push_back({.column = column,
                          .physical = PhysicalOf(column.type),
                          .wants_json = WantsJson(column.type)});
    }
    for (size_t i = 0; i < projected.size(); ++i) targets_[projected[i]].slot = static_cast<int>(i);
  }

  Result<uint64_t> Fill(const Block& block, uint64_t& at, Slots slots, std::span<int64_t> offsets,
                        uint64_t& read, const Reject& reject) override {
    block_ = &block, slots_ = slots, reject_ = &reject;
    if (block.cut_off > 0) {
      at = block.size, ++read;
      RefuseLine(0, block.size,
                 fmt::format("the line has more than {} (limit of one record)",
                             FormatBytes(kMaxRecordBytes)));
      return uint64_t{0};
    }
    if (at == 0) {
      chunk_end_ = 0;
      if (block.first == 0 && StartsWith({block.bytes.data(), block.size}, "\xEF\xBB\xBF")) at = 3;
    }
    row_ = 0;
    while (row_ < slots.capacity && at < block.size) {
      if (at >= chunk_end_ || at < chunk_begin_) Tokenise(at);
      const size_t end = LineEnd(at);
      if (Line(at, end, read)) {
        if (!offsets.empty()) offsets[row_] = block.first + static_cast<int64_t>(at);
        ++row_;
      }
      at = std::min(end + 1, block.size);
    }
    return row_;
  }

 private:
  size_t LineEnd(size_t begin) const {
    const char* text = block_->bytes.data();
    const void* feed = std::memchr(text + begin, '\n', block_->size - begin);
    return feed ? static_cast<size_t>(static_cast<const char*>(feed) - text) : block_->size;
  }

  // Finds the tokens of the lines from `begin` on: about a chunk, at least one line.
  void Tokenise(size_t begin) {
    const char* text = block_->bytes.data();
    size_t end = block_->size;
    if (end - begin > kChunkBytes) {
      const void* feed = memrchr(text + begin, '\n', kChunkBytes);
      end = feed ? static_cast<size_t>(static_cast<const char*>(feed) - text) + 1
                 : std::min(LineEnd(begin + kChunkBytes) + 1, block_->size);
    }
    chunk_begin_ = begin, chunk_end_ = end;
    damaged_ = tokens_.Find(text + begin, end - begin) != TokenFault::kNone;
    token_ = tokens_.begin();
  }

  // One line; true where it became row `row_`.
  bool Line(size_t begin, size_t end, uint64_t& read) {
    const char* text = block_->bytes.data() + begin;
    const char* stop = block_->bytes.data() + end;
    if (damaged_) return LineByItself(begin, end, read);
    const char* const base = block_->bytes.data() + chunk_begin_;
    const auto limit = static_cast<uint32_t>(stop - base);
    // Tokens before the line are left over from a line that was refused half way.
    while (token_ < tokens_.end() && base + *token_ < text) ++token_;
    const uint32_t* const first = token_;
    if (first == tokens_.end() || *first >= limit) return false;  // blank
    const uint32_t* last = first;
    // A good record ends on its last token: look for it from there only.
    if (token_guess_ > 0 && tokens_.end() - first > token_guess_ &&
        first[token_guess_ - 1] < limit) {
      last = first + token_guess_;
    }
    while (last < tokens_.end() && *last < limit) ++last;
    token_guess_ = last - first;
    token_ = last;
    ++read;
    return Record(JsonCursor(base, first, last, stop), begin, end);
  }

  // A line of a damaged chunk: the fault is in this one, or it is as good as any.
  bool LineByItself(size_t begin, size_t end, uint64_t& read) {
    const char* text = block_->bytes.data() + begin;
    const TokenFault fault = own_tokens_.Find(text, end - begin);
    if (fault != TokenFault::kNone) {
      ++read;
      RefuseLine(begin, end, Describe(fault));
      return false;
    }
    if (own_tokens_.begin() == own_tokens_.end()) return false;
    ++read;
    return Record(JsonCursor(text, own_tokens_.begin(), own_tokens_.end(), text + (end - begin)),
                  begin, end);
  }

  bool Record(JsonCursor cursor, size_t begin, size_t end) {
    ++record_;
    if (cursor.Peek() != '{') {
      RefuseOther(cursor, begin, end);
      return false;
    }
    found_ = 0;
    if (!Object(cursor)) {
      wrong_.clear();
      RefuseLine(begin, end, Where(cursor, begin));
      RestoreValidity();
      return false;
    }
    if (!wrong_.empty()) [[unlikely]] {
      RefuseTypes(begin, end);
      RestoreValidity();
      return false;
    }
    if (found_ < targets_.size()) {
      for (const Target& target : targets_) {
        if (target.seen != record_ && target.slot >= 0)
          slots_.columns[static_cast<size_t>(target.slot)].SetNull(row_);
      }
    }
    return true;
  }

  bool Object(JsonCursor& cursor) {
    cursor.Step();
    if (cursor.Peek() == '}') return Closed(cursor);
    for (size_t field = 0;; ++field) {
      if (cursor.Peek() != '"') return cursor.Fail("a key in double quotes was expected");
      int column;
      if (!Key(cursor, field, &column) || !cursor.Colon()) return false;
      if (column == kNoColumn) {
        std::string_view ignored;
        if (!cursor.Value(&ignored)) return false;
      } else if (!Value(cursor, static_cast<size_t>(column))) {
        return false;
      }
      if (cursor.Peek() != ',') break;
      cursor.Step();
    }
    return Closed(cursor);
  }
  bool Closed(JsonCursor& cursor) {
    if (cursor.Peek() != '}') {
      return cursor.Fail(cursor.AtEnd() ? "the line ends inside an object"
                                        : "',' or '}' was expected");
    }
    cursor.Step();
    return cursor.AtEnd() || cursor.Fail("nothing was expected after the object");
  }

  // Which column the key names. Records of one file have their keys in one order nearly always: the
  // guess is the key that the last record had at this place.
  bool Key(JsonCursor& cursor, size_t field, int* column) {
    if (field < predicted_.size()) {
      const Predicted& guess = predicted_[field];
      const char* text = cursor.Here() + 1;
      // The block's padding makes it safe to read past the line.
      if (!guess.key.empty() && std::memcmp(text, guess.key.data(), guess.key.size()) == 0) {
        cursor.Step();
        *column = guess.column;
        return true;
      }
    }
    std::string_view inside;
    bool escaped;
    if (!cursor.String(&inside, &escaped)) return false;
    std::string key(inside);
    if (escaped) Unescape(inside, key);
    const auto found = std::find_if(targets_.begin(), targets_.end(), [&](const Target& target) {
      return target.column.name == key;
    });
    *column = found == targets_.end() ? kNoColumn : static_cast<int>(found - targets_.begin());
    if (*column == kNoColumn && others_ &&
        std::find(others_->begin(), others_->end(), key) == others_->end()) {
      wrong_.push_back({kUnknownKey, ValueFault::kType, key});
      return true;  // not to be guessed: each record is told
    }
    if (field < kPredictedFields && !escaped && inside.size() < 60) {
      if (field >= predicted_.size()) predicted_.resize(field + 1);
      predicted_[field] = {key + '"', *column};
    }
    return true;
  }

  bool Value(JsonCursor& cursor, size_t column) {
    Target& target = targets_[column];
    if (target.seen == record_) {
      ForgetEarlier(column);
    } else {
      target.seen = record_;
      ++found_;
    }
    const char first = cursor.Peek();
    std::string_view text;
    if (first == '"') {
      bool escaped;
      if (!cursor.String(&text, &escaped)) return false;
      if (target.wants_json) {
        text = {text.data() - 1, text.size() + 2};
      } else if (escaped) {
        Unescape(text, unescaped_);
        text = unescaped_;
      }
      Store(column, text, first);
    } else if (first == '{' || first == '[') {
      if (!cursor.Value(&text)) return false;
      Store(column, text, first);
    } else {
      if (cursor.AtEnd()) return cursor.Fail("the line ends inside an object");
      if (!cursor.Scalar(&text)) return false;
      if (first == 'n') {
        if (target.slot >= 0) slots_.columns[static_cast<size_t>(target.slot)].SetNull(row_);
      } else {
        Store(column, text, first);
      }
    }
    return true;
  }

  // `first` is the first byte of the value as written: what kind of value it is.
  void Store(size_t column, std::string_view text, char first) {
    const Target& target = targets_[column];
    ColumnSlot* slot =
        target.slot < 0 ? nullptr : &slots_.columns[static_cast<size_t>(target.slot)];
    ValueFault fault = ValueFault::kNone;
    switch (target.physical) {
      case Physical::kText:
        if (slot) slot->put_text(slot->text_owner, row_, text.data(), text.size());
        return;
      case Physical::kBool: {
        bool value = first == 't';
        if (first == '"') {
          fault = BoolOf(text, &value);
        } else if (first != 't' && first != 'f') {
          fault = ValueFault::kType;
        }
        if (slot && fault == ValueFault::kNone) static_cast<bool*>(slot->values)[row_] = value;
        break;
      }
      case Physical::kDate:
        fault = first == '"' ? Put<int32_t, DateOf>(slot, text) : ValueFault::kType;
        break;
      case Physical::kTimestamp:
        fault = first == '"' ? Put<int64_t, TimestampOf>(slot, text) : ValueFault::kType;
        break;
      default:
        fault = Number(target.physical, slot, text, first);
    }
    if (fault != ValueFault::kNone) [[unlikely]] {
      wrong_.push_back({column, fault, std::string(text.substr(0, kMaxShownBytes + 1))});
    }
  }

  ValueFault Number(Physical physical, ColumnSlot* slot, std::string_view text, char first) {
    if (first == '"') {
      text = Trim(text);
      if (text.size() > 1 && text[0] == '+' && IsDigit(text[1])) text.remove_prefix(1);
    } else if (first != '-' && !IsDigit(first)) {
      return ValueFault::kType;
    }
    switch (physical) {
      case Physical::kInt8:
        return Put<int8_t, IntegerOf<int8_t>>(slot, text);
      case Physical::kInt16:
        return Put<int16_t, IntegerOf<int16_t>>(slot, text);
      case Physical::kInt32:
        return Put<int32_t, IntegerOf<int32_t>>(slot, text);
      case Physical::kInt64:
        return Put<int64_t, IntegerOf<int64_t>>(slot, text);
      case Physical::kUint8:
        return Put<uint8_t, IntegerOf<uint8_t>>(slot, text);
      case Physical::kUint16:
        return Put<uint16_t, IntegerOf<uint16_t>>(slot, text);
      case Physical::kUint32:
        return Put<uint32_t, IntegerOf<uint32_t>>(slot, text);
      case Physical::kUint64:
        return Put<uint64_t, IntegerOf<uint64_t>>(slot, text);
      case Physical::kFloat:
        return Put<float, FloatOf>(slot, text);
      default:
        return Put<double, DoubleOf>(slot, text);
    }
  }
  static ValueFault FloatOf(std::string_view text, float* value) {
    double wide;
    const ValueFault fault = DoubleOf(text, &wide);
    *value = static_cast<float>(wide);
    if (fault == ValueFault::kNone && std::abs(wide) <= 1.7976931348623157e308 &&
        std::abs(wide) > 3.4028235677973366e38) {
      return ValueFault::kRange;
    }
    return fault;
  }
  template <class T, ValueFault (*Read)(std::string_view, T*)>
  ValueFault Put(ColumnSlot* slot, std::string_view text) {
    T value{};
    const ValueFault fault = Read(text, &value);
    if (slot && fault == ValueFault::kNone) static_cast<T*>(slot->values)[row_] = value;
    return fault;
  }

  // A repeated key: the last one counts.
  void ForgetEarlier(size_t column) {
    std::erase_if(wrong_, [&](const Wrong& wrong) { return wrong.column == column; });
    const int slot = targets_[column].slot;
    if (slot >= 0) Revive(slots_.columns[static_cast<size_t>(slot)]);
  }
  void Revive(ColumnSlot& slot) const { slot.validity[row_ / 64] |= uint64_t{1} << (row_ % 64); }
  void RestoreValidity() {
    for (ColumnSlot& slot : slots_.columns) Revive(slot);
  }

  std::string Where(const JsonCursor& cursor, size_t begin) const {
    const auto byte = static_cast<size_t>(cursor.fault_at() - (block_->bytes.data() + begin)) + 1;
    return fmt::format("not JSON at byte {} of the line: {}", byte, cursor.fault());
  }
  void RefuseOther(JsonCursor& cursor, size_t begin, size_t end) {
    const char first = cursor.Peek();
    std::string_view ignored;
    if (!cursor.Value(&ignored) ||
        (!cursor.AtEnd() && !cursor.Fail("nothing was expected after the value"))) {
      return RefuseLine(begin, end, Where(cursor, begin));
    }
    const char* kind = first == '['                   ? "an array"
                       : first == '"'                 ? "a string"
                       : first == 'n'                 ? "null"
                       : first == 't' || first == 'f' ? "a boolean"
                                                      : "a number";
    RefuseLine(begin, end, fmt::format("not an object but {}; each line must be one object", kind));
  }
  void RefuseTypes(size_t begin, size_t end) {
    std::string message;
    for (const Wrong& wrong : wrong_) {
      if (wrong.column == kUnknownKey) {
        fmt::format_to(std::back_inserter(message), "{}'{}' is no column here",
                       message.empty() ? "" : "; ", wrong.value);
        continue;
      }
      const Column& column = targets_[wrong.column].column;
      const bool cut = wrong.value.size() > kMaxShownBytes;
      std::string shown = wrong.value.substr(0, kMaxShownBytes);
      while (cut && !ValidUtf8(shown)) shown.pop_back();
      fmt::format_to(std::back_inserter(message), "{}column '{}': '{}{}' is {} {}",
                     message.empty() ? "" : "; ", column.name, shown, cut ? "…" : "",
                     wrong.fault == ValueFault::kRange ? "out of the range of" : "not a",
                     column.type);
    }
    wrong_.clear();
    Refuse(begin, end, "type", std::move(message));
  }
  void RefuseLine(size_t begin, size_t end, std::string message) {
    Refuse(begin, end, "malformed", std::move(message));
  }
  void Refuse(size_t begin, size_t end, std::string code, std::string message) {
    const char* text = block_->bytes.data();
    if (end > begin && text[end - 1] == '\r') --end;
    const size_t size = end - begin + block_->cut_off;
    const size_t kept = std::min(end - begin, kMaxOriginalBytes);
    if (kept < size)
      fmt::format_to(std::back_inserter(message), " (the first {} of {} bytes are kept)", kept,
                     size);
    (*reject_)({.source = block_->partition,
                .partition = block_->partition,
                .offset = block_->first + static_cast<int64_t>(begin),
                .line = -1,
                .step = {},
                .code = std::move(code),
                .message = std::move(message),
                .original = std::string(text + begin, kept)});
  }

  struct Predicted {
    std::string key;  // with its closing quote; empty: no guess
    int column = kNoColumn;
  };

  const std::optional<std::vector<std::string>> others_;
  std::vector<Target> targets_;
  std::vector<Predicted> predicted_;
  std::vector<Wrong> wrong_;  // of the record at hand
  std::string unescaped_;
  JsonTokens tokens_, own_tokens_;
  const uint32_t* token_ = nullptr;
  ptrdiff_t token_guess_ = 0;  // how many tokens the last record had
  size_t chunk_begin_ = 0, chunk_end_ = 0;
  bool damaged_ = false;
  uint64_t record_ = 0;  // counts records, so that `seen` needs no clearing
  size_t found_ = 0;     // different columns of the record at hand

  const Block* block_ = nullptr;
  Slots slots_;
  const Reject* reject_ = nullptr;
  uint64_t row_ = 0;
};

}  // namespace

std::unique_ptr<Decoder> MakeNdjsonDecoder(const Schema& schema,
                                           const std::vector<uint64_t>& projected) {
  return std::make_unique<NdjsonDecoder>(schema, projected, std::nullopt);
}

std::unique_ptr<Decoder> MakeStrictNdjsonDecoder(const Schema& schema,
                                                 const std::vector<uint64_t>& projected,
                                                 std::vector<std::string> others) {
  return std::make_unique<NdjsonDecoder>(schema, projected, std::move(others));
}

}  // namespace sluice::format
