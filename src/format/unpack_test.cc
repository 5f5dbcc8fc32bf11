// Packed files give all their bytes, or an error; never fewer.
#include "format/unpack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "format/json_records.h"
#include "format/unpack_pipe.h"

namespace sluice::format {
namespace {

using testing::HasSubstr;

class UnpackTest : public testing::Test {
 protected:
  UnpackTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("sluice_unpack_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~UnpackTest() override {
    std::error_code code;
    std::filesystem::remove_all(folder_, code);
  }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  void Write(const std::string& name, const std::string& bytes) {
    std::ofstream(Path(name)) << bytes;
  }
  std::string Bytes(const std::string& name) {
    std::ifstream in(Path(name));
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  // By another program, so that both do not share a mistake.
  void Gzip(const std::string& name, const std::string& code) {
    const std::string command =
        "python3 -c \"import gzip; open('" + Path(name) + "','wb').write(" + code + ")\"";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  std::string ReadAll(const std::string& name, size_t step) {
    auto file = OpenUnpacked(*files_, Path(name), name);
    if (!file.ok()) return "ERROR " + file.error().message;
    std::string all, part(step, '\0');
    for (;;) {
      auto count = (*file)->ReadAt(all.size(), part);
      if (!count.ok()) return "ERROR " + count.error().message;
      all += part.substr(0, *count);
      if (*count < step) return all;
    }
  }

  std::unique_ptr<Files> files_ = LocalFiles();
  std::filesystem::path folder_;
};

TEST_F(UnpackTest, GivesAllBytesInAnyStep) {
  Gzip("a.gz", "gzip.compress(b'0123456789' * 100000)");
  std::string wanted;
  for (int i = 0; i < 100000; ++i) wanted += "0123456789";
  EXPECT_EQ(ReadAll("a.gz", 7777), wanted);
  EXPECT_EQ(ReadAll("a.gz", 4 << 20), wanted);
}

TEST_F(UnpackTest, MembersOneAfterTheOther) {
  Gzip("a.gz", "gzip.compress(b'one,') + gzip.compress(b'two,') + gzip.compress(b'')");
  EXPECT_EQ(ReadAll("a.gz", 3), "one,two,");
  EXPECT_TRUE(CheckPacked(*files_, Path("a.gz"), "a.gz", {}).ok());
}

TEST_F(UnpackTest, ReadsBackByBeginningAnew) {
  Gzip("a.gz", "gzip.compress(b'0123456789')");
  auto file = OpenUnpacked(*files_, Path("a.gz"), "a.gz");
  ASSERT_TRUE(file.ok());
  std::string part(3, '\0');
  ASSERT_EQ((*file)->ReadAt(6, part).value(), 3u);
  EXPECT_EQ(part, "678");
  ASSERT_EQ((*file)->ReadAt(1, part).value(), 3u);
  EXPECT_EQ(part, "123");
  EXPECT_EQ((*file)->ReadAt(50, part).value(), 0u);
}

TEST_F(UnpackTest, CutOffIsAnError) {
  Gzip("a.gz", "gzip.compress(b'0123456789' * 1000)");
  const std::string whole = Bytes("a.gz");
  for (const size_t size : {whole.size() - 1, whole.size() - 8, whole.size() / 2, size_t{5}}) {
    Write("b.gz", whole.substr(0, size));
    EXPECT_THAT(ReadAll("b.gz", 64), HasSubstr("'b.gz' ends in the middle of its packed bytes"))
        << size;
    EXPECT_FALSE(CheckPacked(*files_, Path("b.gz"), "b.gz", {}).ok());
  }
}

TEST_F(UnpackTest, DamageIsAnError) {
  Gzip("a.gz", "gzip.compress(b'0123456789' * 1000)");
  std::string bytes = Bytes("a.gz");
  bytes[bytes.size() - 6] = static_cast<char>(bytes[bytes.size() - 6] ^ 1);  // of the checksum
  Write("b.gz", bytes);
  EXPECT_THAT(ReadAll("b.gz", 64), HasSubstr("'b.gz' cannot be unpacked, it is damaged"));
  Write("c.gz", "id,name\n1,a\n");
  EXPECT_THAT(ReadAll("c.gz", 64), HasSubstr("'c.gz' cannot be unpacked"));
  Write("d.zst", "id,name\n1,a\n");
  EXPECT_THAT(ReadAll("d.zst", 64), HasSubstr("'d.zst' cannot be unpacked"));
  Write("e.gz", "");
  EXPECT_EQ(ReadAll("e.gz", 64), "");
}

TEST_F(UnpackTest, ABombIsAnErrorThatNamesTheLimit) {
  Gzip("a.gz", "gzip.compress(bytes(80 << 20))");
  EXPECT_THAT(ReadAll("a.gz", 1 << 20), HasSubstr("'a.gz' unpacks to more than 500 times its"));
  EXPECT_THAT(ReadAll("a.gz", 1 << 20), HasSubstr("(limit max_unpack_ratio)"));
  Gzip("b.gz", "gzip.compress(bytes(20 << 20))");  // many times itself, but small
  EXPECT_EQ(ReadAll("b.gz", 1 << 20).size(), size_t{20} << 20);
}

// A document as lines, each where it was.
class JsonRecordsTest : public UnpackTest {
 protected:
  std::string Lines(const std::string& document, const std::string& path, size_t step = 5) {
    Write("a.json", document);
    auto plain = files_->Open(Path("a.json"), Files::Mode::kRead);
    EXPECT_TRUE(plain.ok());
    auto file = MakeJsonRecords(std::move(*plain), path, "a.json");
    std::string all, part(step, '\0');
    for (;;) {
      auto count = file->ReadAt(all.size(), part);
      if (!count.ok()) return "ERROR " + count.error().message;
      all += part.substr(0, *count);
      if (*count < step) return all;
    }
  }
};

TEST_F(JsonRecordsTest, AList) {
  EXPECT_EQ(Lines("[{\"a\": 1},\n {\"a\":\n [2, {}]}]\n", ""),
            "\n{\"a\": 1}\n\n\n{\"a\":  [2, {}]}\n\n");
  EXPECT_EQ(Lines("[]", ""), "\n\n");
  EXPECT_EQ(Lines("", ""), "");
}

TEST_F(JsonRecordsTest, StringsMayHoldAnything) {
  EXPECT_EQ(Lines(R"([{"a": "],[\"}{"}, {"b,": "\\"}])", ""),
            "\n{\"a\": \"],[\\\"}{\"}\n\n{\"b,\": \"\\\\\"}\n");
}

TEST_F(JsonRecordsTest, AListAtAPath) {
  const std::string document =
      R"({"items": 1, "data": {"other": [{"x": 0}], "items": [{"a": 1}, {"items": [2]}], "n": [3]}})";
  for (const size_t step : {size_t{1}, size_t{7}, size_t{4096}}) {
    const std::string lines = Lines(document, "data.items", step);
    ASSERT_EQ(lines.size(), document.size());
    EXPECT_EQ(lines.find("{\"a\": 1}"), document.find("{\"a\": 1}"));
    EXPECT_THAT(lines, HasSubstr("{\"a\": 1}\n\n{\"items\": [2]}\n"));
    EXPECT_EQ(lines.find("x"), std::string::npos);
    EXPECT_EQ(lines.find("3"), std::string::npos);
  }
}

TEST_F(JsonRecordsTest, DocumentsOneAfterTheOther) {
  EXPECT_EQ(Lines("{\"a\":\n1}\n{\"a\": 2}\n", ""), "{\"a\": 1}\n{\"a\": 2}\n");
}

TEST_F(JsonRecordsTest, WhatIsNotThereIsTold) {
  EXPECT_EQ(Lines("{\"data\": {\"rows\": []}}", "data.items"),
            "ERROR 'a.json' has no list at 'data.items'; records: names the path to the list of "
            "records");
  EXPECT_THAT(Lines("hello", ""), HasSubstr("'a.json' is neither a list nor an object"));
  EXPECT_EQ(Lines("[{\"a\": 1}, {\"a\"", ""),
            "ERROR 'a.json' ends inside its document: it was cut off");
  EXPECT_EQ(Lines("[{\"a\": \"x", ""), "ERROR 'a.json' ends inside its document: it was cut off");
  EXPECT_THAT(Lines(std::string(2000, '['), ""), HasSubstr("(limit max_json_depth)"));
}

std::string Drain(const UnpackPipe& pipe) {
  std::ifstream in(pipe.path(), std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST_F(UnpackTest, APipeGivesAllBytesOnce) {
  Gzip("a.gz", "gzip.compress(b'0123456789' * 500000)");
  auto pipe = UnpackPipe::Start(*files_, Path("a.gz"), "a.gz");
  ASSERT_TRUE(pipe.ok());
  const std::string all = Drain(**pipe);
  EXPECT_EQ(all.size(), 5'000'000u);
  EXPECT_EQ(all.substr(all.size() - 10), "0123456789");
  EXPECT_TRUE((*pipe)->Finish().ok());
}

TEST_F(UnpackTest, APipeTellsWhatWasWrongAfterItsEnd) {
  Gzip("a.gz", "gzip.compress(b'0123456789' * 500000)[:-6]");
  auto pipe = UnpackPipe::Start(*files_, Path("a.gz"), "a.gz");
  ASSERT_TRUE(pipe.ok());
  (void)Drain(**pipe);
  const auto done = (*pipe)->Finish();
  ASSERT_FALSE(done.ok());
  EXPECT_THAT(done.error().message, testing::HasSubstr("'a.gz' ends in the middle"));
}

TEST_F(UnpackTest, APipeThatNobodyReadsEnds) {
  Gzip("a.gz", "gzip.compress(b'0123456789' * 500000)");
  auto pipe = UnpackPipe::Start(*files_, Path("a.gz"), "a.gz");
  ASSERT_TRUE(pipe.ok());
  EXPECT_TRUE((*pipe)->Finish().ok());
  pipe->reset();
  EXPECT_FALSE(UnpackPipe::Start(*files_, Path("none.gz"), "none.gz").ok());
}

}  // namespace
}  // namespace sluice::format
