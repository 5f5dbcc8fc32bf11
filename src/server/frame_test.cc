// Frames and messages, whole, cut and strange.
#include "server/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace sluice::server {
namespace {

using ::testing::HasSubstr;

TEST(Frame, ComesOutAsItWentIn) {
  FrameReader reader;
  const std::string bytes("a\0b\n\xff", 5);
  reader.Feed(Encode(FrameKind::kOut, bytes) + Encode(FrameKind::kCancel, ""));
  auto first = reader.Next();
  ASSERT_TRUE(first.ok() && *first);
  EXPECT_EQ((*first)->kind, FrameKind::kOut);
  EXPECT_EQ((*first)->body, bytes);
  auto second = reader.Next();
  ASSERT_TRUE(second.ok() && *second);
  EXPECT_EQ((*second)->kind, FrameKind::kCancel);
  EXPECT_EQ((*second)->body, "");
  EXPECT_TRUE(reader.empty());
}

TEST(Frame, WaitsForTheRestWhereverItIsCut) {
  const std::string whole = Encode(FrameKind::kNote, "hello");
  for (size_t cut = 0; cut < whole.size(); ++cut) {
    FrameReader reader;
    reader.Feed(whole.substr(0, cut));
    auto none = reader.Next();
    ASSERT_TRUE(none.ok()) << cut;
    EXPECT_FALSE(*none) << cut;
    reader.Feed(whole.substr(cut));
    auto frame = reader.Next();
    ASSERT_TRUE(frame.ok() && *frame) << cut;
    EXPECT_EQ((*frame)->body, "hello");
  }
}

TEST(Frame, RefusesWhatIsTooLongBeforeItHasCome) {
  FrameReader reader;
  reader.Feed(Encode(FrameKind::kOut, std::string(kMostBytes, 'x')));
  auto longest = reader.Next();
  ASSERT_TRUE(longest.ok() && *longest);
  EXPECT_EQ((*longest)->body.size(), kMostBytes);
  reader.Feed(Encode(FrameKind::kOut, std::string(kMostBytes + 1, 'x')).substr(0, 5));
  auto too_long = reader.Next();
  ASSERT_FALSE(too_long.ok());
  EXPECT_EQ(too_long.error().kind, ErrorKind::kRejected);
  EXPECT_THAT(too_long.error().message, HasSubstr("1048577 bytes"));
}

TEST(Frame, ListensToNobodyWhoBrokeOnce) {
  FrameReader reader;
  reader.Feed(std::string("\0\0\0\0Z", 5));
  EXPECT_FALSE(reader.Next().ok());
  reader.Feed(Encode(FrameKind::kHello, "{}"));
  EXPECT_FALSE(reader.Next().ok());
}

TEST(Frame, GarbageIsRefusedOrWaitedFor) {
  std::mt19937 random(7);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    FrameReader reader;
    std::string bytes(random() % 64, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    reader.Feed(bytes);
    while (true) {
      auto frame = reader.Next();
      refused += frame.ok() ? 0 : 1;
      if (!frame.ok() || !*frame) break;
      EXPECT_LE((*frame)->body.size(), bytes.size());
    }
  }
  EXPECT_GT(refused, 1000);
}

Request Sample() {
  return {.command = "query",
          .values = {{"sql", {"SELECT 'a\"\n'"}}, {"--set", {"a=1", "b=2"}}},
          .folder = "/a b",
          .file = {.device = 7, .inode = 1ULL << 63},
          .terminal = true,
          .environment = {{"PASSWORD", "p\xc3\xa4ss"}},
          .macros = "00ff"};
}

TEST(Message, RequestComesOutAsItWentIn) {
  const Request sample = Sample();
  auto read = ReadRequest(ToText(sample));
  ASSERT_TRUE(read.ok()) << Format(read.error());
  EXPECT_EQ(read->command, sample.command);
  EXPECT_EQ(read->values, sample.values);
  EXPECT_EQ(read->folder, sample.folder);
  EXPECT_EQ(read->file, sample.file);
  EXPECT_EQ(read->terminal, true);
  EXPECT_EQ(read->environment, sample.environment);
  EXPECT_EQ(read->macros, "00ff");
}

TEST(Message, WhatIsMissingOrOfAnotherTypeIsRefused) {
  for (const char* text :
       {"", "{", "[]", "null", "{}", R"({"command":1})", R"({"command":"run","values":[]})",
        R"({"command":"run","values":{"a":"b"},"folder":"","device":1,"inode":1,"terminal":false,)"
        R"("environment":{},"macros":""})",
        R"({"command":"run","values":{},"folder":"","device":"x","inode":1,"terminal":false,)"
        R"("environment":{},"macros":""})"}) {
    auto read = ReadRequest(text);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_THAT(read.error().message, HasSubstr("reading a request")) << text;
  }
  EXPECT_FALSE(ReadHello("{}").ok());
  EXPECT_FALSE(ReadHello(R"({"protocol":"1"})").ok());
  EXPECT_FALSE(ReadRefusal(R"({"holds":true})").ok());
}

TEST(Message, HelloOfAnotherReleaseStillTellsItsProtocol) {
  auto hello = ReadHello(R"({"protocol":9,"more":[1]})");
  ASSERT_TRUE(hello.ok());
  EXPECT_EQ(hello->protocol, 9);
}

}  // namespace
}  // namespace sluice::server
