// A host and its guests, in one process and over real sockets.
#include "server/host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "server/ask.h"
#include "server/gate.h"

namespace sluice::server {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Everything that is said, in two texts.
class Heard : public Console {
 public:
  void Out(std::string_view bytes) override { out += bytes; }
  void Note(std::string_view bytes) override { note += bytes; }
  bool terminal() const override { return false; }
  Status heard() override { return Ok(); }

  std::string out, note;
};

class HostTest : public ::testing::Test {
 protected:
  HostTest() {
    std::string name = ::testing::TempDir() + "sluice_host_XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~HostTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Host> Open(Host::Serve serve) {
    auto host = Host::Open(folder_, std::move(serve));
    EXPECT_TRUE(host.ok()) << Format(host.error());
    return std::move(*host);
  }
  Reply Say(const std::string& command, std::stop_token stop = {}) {
    auto reply = Ask(folder_, {.command = command}, heard_, std::move(stop));
    EXPECT_TRUE(reply.ok());
    return *reply;
  }

  std::string folder_;
  Heard heard_;
};

TEST_F(HostTest, CommandSpeaksToItsGuest) {
  auto host = Open([](const Request& request, Visit& visit) -> Answer {
    visit.Note("starting " + request.command);
    visit.Out(std::string(3 << 20, 'x'));  // more than one frame
    return 3;
  });
  EXPECT_EQ(std::get<int>(Say("run")), 3);
  EXPECT_EQ(heard_.note, "starting run");
  EXPECT_EQ(heard_.out, std::string(3 << 20, 'x'));
  host->Close({});
}

TEST_F(HostTest, SocketIsPrivateAndGoesWithItsHost) {
  auto host = Open([](const Request&, Visit&) -> Answer { return 0; });
  ASSERT_THAT(SocketsIn(folder_), SizeIs(1));
  struct stat facts {};
  ASSERT_EQ(::stat((folder_ + "/" + SocketsIn(folder_)[0]).c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
  host->Close({});
  host.reset();
  EXPECT_THAT(SocketsIn(folder_), IsEmpty());
}

TEST_F(HostTest, LongestPathsHoldSockets) {
  for (int i = 0; i < 8; ++i) folder_ += "/" + std::string(100, 'd');
  std::filesystem::create_directories(folder_);
  auto host = Open([](const Request&, Visit&) -> Answer { return 7; });
  EXPECT_EQ(std::get<int>(Say("run")), 7);
  host->Close({});
}

TEST_F(HostTest, AsksTheOneThatHoldsTheFile) {
  auto other = Open([](const Request&, Visit&) -> Answer { return Refusal{false, ""}; });
  EXPECT_TRUE(std::holds_alternative<Nobody>(Say("run")));
  auto holder = Open([](const Request&, Visit&) -> Answer { return 5; });
  EXPECT_EQ(std::get<int>(Say("run")), 5);
  other->Close({});
  holder->Close({});
}

TEST_F(HostTest, SocketOfADeadProcessIsRemoved) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto listener = Listen(folder_, "1-dead.sock");
    ::_exit(listener.ok() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  ASSERT_THAT(SocketsIn(folder_), SizeIs(1));
  EXPECT_TRUE(std::holds_alternative<Nobody>(Say("run")));
  EXPECT_THAT(SocketsIn(folder_), IsEmpty());
}

TEST_F(HostTest, CancelReachesTheCommandAndItsEndIsWaitedFor) {
  std::stop_source user;
  auto host = Open([&](const Request&, Visit& visit) -> Answer {
    user.request_stop();
    while (!visit.stop().stop_requested()) std::this_thread::yield();
    visit.Out("stopped in order");
    return 130;
  });
  EXPECT_EQ(std::get<int>(Say("run", user.get_token())), 130);
  host->Close({});
}

TEST_F(HostTest, GuestThatGoesCancelsItsCommand) {
  std::atomic<bool> began = false, ended = false;
  auto host = Open([&](const Request&, Visit& visit) -> Answer {
    began = true;
    while (!visit.stop().stop_requested()) std::this_thread::yield();
    ended = true;
    return 130;
  });
  {
    auto channel = Connect(folder_, SocketsIn(folder_)[0]);
    ASSERT_TRUE(channel.ok() && *channel);
    ASSERT_TRUE((*channel)->Send(FrameKind::kHello, ToText(Hello{}), {}, {}).ok());
    ASSERT_TRUE((*channel)->Send(FrameKind::kRequest, ToText(Request{}), {}, {}).ok());
    while (!began) std::this_thread::yield();
  }
  host->Close({});
  EXPECT_TRUE(ended);
}

TEST_F(HostTest, CancelThatComesWithTheRequestIsHeard) {
  std::atomic<bool> ended = false;
  auto host = Open([&](const Request&, Visit& visit) -> Answer {
    while (!visit.stop().stop_requested()) std::this_thread::yield();
    ended = true;
    return 130;
  });
  auto channel = Connect(folder_, SocketsIn(folder_)[0]);
  ASSERT_TRUE(channel.ok() && *channel);
  const std::string bytes = Encode(FrameKind::kHello, ToText(Hello{})) +
                            Encode(FrameKind::kRequest, ToText(Request{})) +
                            Encode(FrameKind::kCancel, "");
  ASSERT_GT(::send((*channel)->descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL), 0);
  auto hello = (*channel)->Await(std::chrono::seconds(20));
  auto end = (*channel)->Await(std::chrono::seconds(20));
  ASSERT_TRUE(end.ok() && *end);
  EXPECT_EQ((*end)->body, "130");
  EXPECT_TRUE(ended);
  host->Close({});
}

// What a stranger says, and what he is told.
class Strangers : public HostTest {
 protected:
  std::string Told(const std::string& bytes) {
    auto host = Open([](const Request&, Visit&) -> Answer { return 0; });
    std::string why;
    auto channel = Connect(folder_, SocketsIn(folder_)[0]);
    EXPECT_TRUE(channel.ok() && *channel);
    EXPECT_GT(::send((*channel)->descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL), 0);
    while (true) {
      auto frame = (*channel)->Await(std::chrono::seconds(20));
      if (!frame.ok() || !*frame) break;
      if ((*frame)->kind == FrameKind::kEnd) why = "served";
      if ((*frame)->kind == FrameKind::kRefusal) why = ReadRefusal((*frame)->body)->why;
    }
    host->Close({});
    return why;
  }
};

TEST_F(Strangers, AreRefusedAndHarmNobody) {
  EXPECT_THAT(Told("GET / HTTP/1.1\r\n\r\n"), HasSubstr("no message of ours"));
  EXPECT_THAT(Told(Encode(FrameKind::kHello, R"({"protocol":2})")), HasSubstr("another release"));
  EXPECT_THAT(Told(Encode(FrameKind::kHello, "{")), HasSubstr("reading a hello"));
  EXPECT_THAT(Told(Encode(FrameKind::kRequest, ToText(Request{}))), HasSubstr("something else"));
  EXPECT_EQ(Told(Encode(FrameKind::kHello, ToText(Hello{})) +
                 Encode(FrameKind::kRequest, ToText(Request{}))),
            "served");
}

TEST_F(HostTest, ClosingHostServesWhoIsThereAndSendsAwayWhoComes) {
  std::atomic<bool> go_on = false, began = false;
  auto host = Open([&](const Request&, Visit&) -> Answer {
    began = true;
    while (!go_on) std::this_thread::yield();
    return 0;
  });
  Reply first = Nobody{};
  std::jthread guest([&] { first = Say("run"); });
  while (!began) std::this_thread::yield();
  std::jthread closing([&] { host->Close({}); });
  go_on = true;
  closing.join();
  guest.join();
  EXPECT_EQ(std::get<int>(first), 0);
  const Reply late = Say("run");
  ASSERT_TRUE(std::holds_alternative<NotNow>(late));
  EXPECT_THAT(std::get<NotNow>(late).why, HasSubstr("about to end"));
}

TEST_F(HostTest, StoppedHostSendsItsGuestsAway) {
  std::atomic<bool> began = false;
  auto host = Open([&](const Request&, Visit& visit) -> Answer {
    began = true;
    while (!visit.stop().stop_requested()) std::this_thread::yield();
    return 130;
  });
  Reply reply = Nobody{};
  std::jthread guest([&] { reply = Say("run"); });
  while (!began) std::this_thread::yield();
  std::stop_source stop;
  stop.request_stop();
  host->Close(stop.get_token());
  guest.join();
  ASSERT_TRUE(std::holds_alternative<NotNow>(reply));
  EXPECT_EQ(std::get<NotNow>(reply).pid, ::getpid());
}

TEST_F(HostTest, WhoTakesNothingLeavesItsSlotToOthers) {
  Slots slots(1);
  auto host = Open([&](const Request& request, Visit& visit) -> Answer {
    if (!visit.Enter(slots).ok()) return 1;
    if (request.command == "slow") visit.Out(std::string(8 << 20, 'x'));
    return visit.heard().ok() ? 0 : 1;
  });
  auto slow = Connect(folder_, SocketsIn(folder_)[0]);
  ASSERT_TRUE(slow.ok() && *slow);
  ASSERT_TRUE((*slow)->Send(FrameKind::kHello, ToText(Hello{}), {}, {}).ok());
  ASSERT_TRUE((*slow)->Send(FrameKind::kRequest, ToText(Request{.command = "slow"}), {}, {}).ok());
  while (host->guests() == 0) std::this_thread::yield();
  EXPECT_EQ(std::get<int>(Say("fast")), 0);  // would wait for ever
  slow->reset();
  host->Close({});
}

TEST_F(HostTest, ManyAtOnce) {
  std::atomic<int> now = 0, most = 0;
  Slots slots(3);
  auto host = Open([&](const Request&, Visit& visit) -> Answer {
    if (!visit.Enter(slots).ok()) return 1;
    const int here = ++now;
    for (int seen = most; here > seen && !most.compare_exchange_weak(seen, here);) continue;
    visit.Out(std::string(100'000, 'y'));
    --now;
    return 0;
  });
  std::atomic<int> served = 0;
  {
    std::vector<std::jthread> guests;
    for (int i = 0; i < 60; ++i) {
      guests.emplace_back([&] {
        Heard heard;
        const auto reply = Ask(folder_, {.command = "query"}, heard, {});
        const bool right =
            reply.ok() && std::holds_alternative<int>(*reply) && std::get<int>(*reply) == 0;
        served += right && heard.out.size() == 100'000 ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(served, 60);
  EXPECT_LE(most, 3);
  host->Close({});
}

TEST(Slots, RestInProportionAndNotForEver) {
  using std::chrono::milliseconds;
  const auto took = [](Slots& slots) {
    const auto began = Slots::Steady::now();
    { const auto hold = slots.Take({}); }
    return Slots::Steady::now() - began;
  };
  Slots resting(1, 1'000'000, milliseconds(300));
  (void)took(resting);
  EXPECT_GE(took(resting), milliseconds(290));
  std::stop_source stop;
  stop.request_stop();
  auto refused = resting.Take(stop.get_token());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kCancelled);
  Slots proportional(1, 2, milliseconds(60'000));
  {
    const auto hold = proportional.Take({});
    std::this_thread::sleep_for(milliseconds(50));  // it is had that long
  }
  EXPECT_GE(took(proportional), milliseconds(90));
}

TEST_F(HostTest, WriterAtTheGateWaitsForReadersAndNewOnesForHim) {
  auto reader = EnterToRead(folder_, {});
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE(EnterToRead(folder_, {}).ok());  // beside the first
  std::atomic<bool> in = false;
  std::atomic<bool> leave = false;
  std::jthread writer([&] {
    auto passage = EnterToWrite(folder_, {});
    in = passage.ok();
    while (!leave) std::this_thread::yield();
  });
  // Once the writer waits, nobody else comes in.
  std::stop_source tired;
  while (true) {
    std::stop_source brief;
    brief.request_stop();
    if (!EnterToRead(folder_, brief.get_token()).ok()) break;
  }
  EXPECT_FALSE(in);
  *reader = Passage();
  while (!in) std::this_thread::yield();
  leave = true;
  writer.join();
  EXPECT_TRUE(EnterToRead(folder_, {}).ok());
}

}  // namespace
}  // namespace sluice::server
