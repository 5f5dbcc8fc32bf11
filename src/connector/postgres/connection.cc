// See connection.h.
#include "connector/postgres/connection.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/delayed.h"
#include "base/text.h"

namespace sluice::postgres {
namespace {

constexpr int kLookMillis = 50;  // how often a wait looks at the stop token
constexpr auto kDrain = std::chrono::seconds(5);

struct Freed {
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(PGresult* result) const { PQclear(result); }
  void operator()(PGcancel* cancel) const { PQfreeCancel(cancel); }
};
using Held = std::unique_ptr<PGresult, Freed>;

std::string Field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? "" : text;
}

uint64_t CountOf(PGresult* result) {
  const std::string_view text = PQcmdTuples(result);
  uint64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

// What libpq says of a connection that did not come about: the server's words, in one line.
std::string OneLine(const char* message) {
  std::string line(Trim(message == nullptr ? "" : message));
  for (char& c : line) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  return line;
}

// A server that says no will say no again; one that is not there may come.
ErrorKind KindOfConnect(const std::string& message) {
  for (const char* no :
       {"authentication failed", "no password supplied", "does not exist", "no pg_hba.conf entry",
        "certificate", "does not support SSL", "permission denied", "not permitted to log in"}) {
    if (message.find(no) != std::string::npos) return ErrorKind::kRejected;
  }
  return ErrorKind::kTransient;
}

// As libpq takes them: lists of one length, the addresses for connecting, the name for TLS.
struct Hosts {
  std::string names, ports, addresses;
};
Result<Hosts> HostsOf(const Settings& settings, const EgressPolicy& egress) {
  const std::string port = std::to_string(settings.port);
  if (StartsWith(settings.host.text, "/")) {  // the folder of the server's socket: this machine
    if (egress.inside == EgressPolicy::Inside::kRefused)
      return RejectedError("a socket of this machine is nothing that pipelines here may reach");
    return Hosts{settings.host.text, port, ""};
  }
  const Route route = TRY(FindRoute(settings.host.text, settings.port, egress));
  const std::vector<std::string> names(route.addresses.size(), route.host);
  const std::vector<std::string> ports(route.addresses.size(), port);
  return Hosts{Join(names, ","), Join(ports, ","), Join(route.addresses, ",")};
}

class PqConnection final : public Connection {
 public:
  explicit PqConnection(const Settings& settings)
      : shown_(settings.Shown()), limit_(settings.statement_timeout) {}

  Status Open(const Settings& settings, const Secret& password, const EgressPolicy& egress,
              const std::stop_token& stop) {
    TRY(NeedLibrary("libpq"));
    const Hosts hosts = TRY(HostsOf(settings, egress).While("connecting to " + shown_));
    std::string secret(password.Open());
    // An empty one is none to libpq, which would take this one.
    if (secret.empty() && std::getenv("PGPASSWORD") != nullptr) secret = " ";
    const std::string tls = settings.tls == "off"      ? "disable"
                            : settings.tls == "verify" ? "verify-full"
                                                       : settings.tls;
    // What is not named here libpq would take from the environment or from files of its own; what
    // has no harmless value to name is taken out of the environment (environment.h).
    std::vector<std::pair<const char*, const char*>> words{
        {"host", hosts.names.c_str()},
        {"port", hosts.ports.c_str()},
        {"dbname", settings.database.text.c_str()},
        {"user", settings.user.text.c_str()},
        {"password", secret.c_str()},
        {"passfile", "/nonexistent"},
        {"sslmode", tls.c_str()},
        {"sslcert", "/nonexistent"},
        {"sslkey", "/nonexistent"},
        {"sslrootcert", settings.tls_root.empty() ? "/nonexistent" : settings.tls_root.c_str()},
        {"gssencmode", "disable"},
        {"client_encoding", "UTF8"},
        {"application_name", "sluice"},
        {"target_session_attrs", "any"},
        {"keepalives_idle", "30"}};
    if (!hosts.addresses.empty()) words.emplace_back("hostaddr", hosts.addresses.c_str());
    std::vector<const char*> names, values;
    for (const auto& [name, value] : words) names.push_back(name), values.push_back(value);
    names.push_back(nullptr), values.push_back(nullptr);
    connection_.reset(PQconnectStartParams(names.data(), values.data(), 0));
    if (connection_ == nullptr) return InternalError("libpq has no memory for a connection");
    TRY(Establish(settings.connect_timeout, stop));
    PQsetNoticeProcessor(
        connection_.get(), [](void*, const char*) {}, nullptr);
    PQsetnonblocking(connection_.get(), 1);
    return Configure(settings, stop);
  }

  Result<Answer> Run(const std::string& text, const std::vector<Value>& parameters,
                     std::stop_token stop) override {
    if (stop.stop_requested()) return CancelledError();
    TRY(Send(text, parameters));
    return Collect(stop);
  }

  Status Begin() override {
    TRY(Run("BEGIN ISOLATION LEVEL READ COMMITTED", {}, {}));
    return Ok();
  }

  Status Commit() override {
    if (PQtransactionStatus(connection_.get()) == PQTRANS_INERROR)
      return InternalError("a transaction that has failed was to be committed");
    auto done = Run("COMMIT", {}, {});
    if (done.ok()) return Ok();
    Error error = std::move(done).error();
    if (lost() || StartsWith(refusal_.state, "57P") || StartsWith(refusal_.state, "08"))
      error.kind = ErrorKind::kUnsettled;
    return std::move(error).While("committing");
  }

  Status Mark() override { return Plain("SAVEPOINT _sluice_mark"); }
  Status Keep() override { return Plain("RELEASE SAVEPOINT _sluice_mark"); }
  Status Undo() override {
    return Plain("ROLLBACK TO SAVEPOINT _sluice_mark; RELEASE SAVEPOINT _sluice_mark");
  }

  Status Rollback() override {
    if (lost()) return Ok();
    const auto status = PQtransactionStatus(connection_.get());
    if (status == PQTRANS_IDLE) return Ok();
    if (status == PQTRANS_ACTIVE) {  // a COPY or a statement that nobody waited for
      Cancel();
      Drain();
      if (lost()) return Ok();
    }
    TRY(Run("ROLLBACK", {}, {}));
    return Ok();
  }

  Status StartRead(const std::string& text, std::stop_token stop) override {
    return StartCopy(text, PGRES_COPY_OUT, stop);
  }

  Result<bool> Read(std::vector<char>& into, std::stop_token stop) override {
    while (true) {
      char* buffer = nullptr;
      const int size = PQgetCopyData(connection_.get(), &buffer, 1);
      if (size > 0) {
        into.insert(into.end(), buffer, buffer + size);
        PQfreemem(buffer);
        return true;
      }
      if (size == -1) {
        copied_ = TRY(Collect(stop)).changed;
        return false;
      }
      if (size == -2) return Lost("reading rows");
      TRY(Await(POLLIN, stop));
      if (PQconsumeInput(connection_.get()) == 0) return Lost("reading rows");
    }
  }

  Status StartWrite(const std::string& text, std::stop_token stop) override {
    return StartCopy(text, PGRES_COPY_IN, stop);
  }

  Status Write(std::span<const char> bytes, std::stop_token stop) override {
    constexpr size_t kPiece = 256 << 10;
    for (size_t at = 0; at < bytes.size(); at += kPiece) {
      const auto piece = bytes.subspan(at, std::min(kPiece, bytes.size() - at));
      int put = 0;
      while ((put = PQputCopyData(connection_.get(), piece.data(),
                                  static_cast<int>(piece.size()))) == 0) {
        TRY(FlushSome(stop));
      }
      if (put < 0) return Refused(stop);
      TRY(Flush(stop));
    }
    return Ok();
  }

  Result<uint64_t> FinishWrite(std::stop_token stop) override {
    int put = 0;
    while ((put = PQputCopyEnd(connection_.get(), nullptr)) == 0) TRY(FlushSome(stop));
    if (put < 0) return Refused(stop).error();
    TRY(Flush(stop));
    return TRY(Collect(stop)).changed;
  }

  void AbandonWrite() override {
    if (lost() || PQtransactionStatus(connection_.get()) != PQTRANS_ACTIVE) return;
    (void)PQputCopyEnd(connection_.get(), "abandoned");
    Drain();
  }

  uint64_t copied() const override { return copied_; }
  const Refusal& refusal() const override { return refusal_; }
  bool lost() const override { return PQstatus(connection_.get()) != CONNECTION_OK; }
  int64_t process() const override { return PQbackendPID(connection_.get()); }
  int version() const override { return PQserverVersion(connection_.get()); }
  bool utf8() const override {
    const char* encoding = PQparameterStatus(connection_.get(), "server_encoding");
    return encoding != nullptr && std::string_view(encoding) != "SQL_ASCII";
  }

 private:
  Status Establish(std::chrono::microseconds timeout, const std::stop_token& stop) {
    const auto until = std::chrono::steady_clock::now() + timeout;
    auto polling = PGRES_POLLING_WRITING;
    while (polling != PGRES_POLLING_OK) {
      if (PQstatus(connection_.get()) == CONNECTION_BAD || polling == PGRES_POLLING_FAILED) {
        const std::string message = OneLine(PQerrorMessage(connection_.get()));
        Error error = TransientError(fmt::format("connecting to {}: {}", shown_, message));
        error.kind = KindOfConnect(message);
        return error;
      }
      if (stop.stop_requested()) return CancelledError();
      if (std::chrono::steady_clock::now() > until) {
        return TransientError(
            fmt::format("connecting to {}: no answer within {}", shown_, FormatDuration(timeout)));
      }
      pollfd waiting{
          .fd = PQsocket(connection_.get()),
          .events = static_cast<short>(polling == PGRES_POLLING_READING ? POLLIN : POLLOUT),
          .revents = 0};
      ::poll(&waiting, 1, kLookMillis);
      if (waiting.revents != 0) polling = PQconnectPoll(connection_.get());
    }
    return Ok();
  }

  Status Configure(const Settings& settings, const std::stop_token& stop) {
    if (version() < 100000) {
      return RejectedError(
          fmt::format("{} is PostgreSQL {}; sluice needs 10 or newer", shown_, version() / 10000));
    }
    // Texts that the server prints are read by DuckDB, which knows one form of each.
    std::string text =
        "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; "
        "SET extra_float_digits = 1; SET bytea_output = 'hex'; SET standard_conforming_strings = "
        "on; SET client_min_messages = warning";
    text += fmt::format("; SET statement_timeout = {}",
                        settings.statement_timeout.count() == 0
                            ? 0
                            : std::max<int64_t>(settings.statement_timeout.count() / 1000, 1));
    if (settings.schema != "public")
      text += fmt::format("; SET search_path = {}, public", QuoteIdentifier(settings.schema));
    TRY(Run(text, {}, stop));
    // So that a statement ends soon after its client was killed; not every system can.
    if (version() >= 140000) (void)Run("SET client_connection_check_interval = '5s'", {}, stop);
    return stop.stop_requested() ? Status(CancelledError()) : Ok();
  }

  Status Send(const std::string& text, const std::vector<Value>& parameters) {
    refusal_ = {};
    int sent = 0;
    if (parameters.empty()) {
      sent = PQsendQuery(connection_.get(), text.c_str());
    } else {
      std::vector<const char*> values;
      for (const Value& value : parameters) values.push_back(value ? value->c_str() : nullptr);
      sent = PQsendQueryParams(connection_.get(), text.c_str(), static_cast<int>(values.size()),
                               nullptr, values.data(), nullptr, nullptr, 0);
    }
    if (sent == 0) return Lost("sending a statement");
    return Flush({});
  }

  Status Plain(const std::string& text) {
    TRY(Run(text, {}, {}));
    return Ok();
  }

  Status StartCopy(const std::string& text, ExecStatusType wanted, const std::stop_token& stop) {
    if (stop.stop_requested()) return CancelledError();
    TRY(Send(text, {}));
    const Held result = TRY(Next(stop));
    if (result != nullptr && PQresultStatus(result.get()) == wanted) return Ok();
    Error error = result == nullptr ? InternalError("the server does not begin the COPY")
                                    : ErrorOf(result.get());
    Drain();
    return error;
  }

  // The next result of what was sent; null: all have come.
  Result<Held> Next(const std::stop_token& stop) {
    while (PQisBusy(connection_.get())) {
      TRY(Await(POLLIN, stop));
      if (PQconsumeInput(connection_.get()) == 0) return Lost("waiting for the server");
    }
    return Held(PQgetResult(connection_.get()));
  }

  Result<Answer> Collect(const std::stop_token& stop) {
    Answer answer;
    std::optional<Error> error;
    while (true) {
      const Held result = TRY(Next(stop));
      if (result == nullptr) break;
      switch (PQresultStatus(result.get())) {
        case PGRES_TUPLES_OK:
          answer = ReadRows(result.get());
          break;
        case PGRES_COMMAND_OK:
          answer = Answer{.columns = {}, .rows = {}, .changed = CountOf(result.get())};
          break;
        case PGRES_EMPTY_QUERY:
          break;
        case PGRES_COPY_IN:
          (void)PQputCopyEnd(connection_.get(), "not here");
          error = ConfigError({}, "COPY FROM STDIN cannot be used here");
          break;
        case PGRES_COPY_OUT:
          error = ConfigError({}, "COPY TO STDOUT cannot be used here");
          Cancel();
          break;
        default:
          if (!error) error = ErrorOf(result.get());
      }
      if (lost()) break;
    }
    if (lost() && !error) return Lost("waiting for the server");
    if (error) return *error;
    return answer;
  }

  static Answer ReadRows(PGresult* result) {
    Answer answer;
    for (int i = 0; i < PQnfields(result); ++i)
      answer.columns.push_back({PQfname(result, i), PQftype(result, i), PQfmod(result, i)});
    for (int row = 0; row < PQntuples(result); ++row) {
      std::vector<Value> values;
      for (int i = 0; i < PQnfields(result); ++i) {
        if (PQgetisnull(result, row, i)) {
          values.emplace_back();
        } else {
          values.emplace_back(std::string(PQgetvalue(result, row, i),
                                          static_cast<size_t>(PQgetlength(result, row, i))));
        }
      }
      answer.rows.push_back(std::move(values));
    }
    answer.changed = CountOf(result);
    return answer;
  }

  Error ErrorOf(const PGresult* result) {
    refusal_ = {.state = Field(result, PG_DIAG_SQLSTATE),
                .message = Field(result, PG_DIAG_MESSAGE_PRIMARY),
                .detail = Field(result, PG_DIAG_MESSAGE_DETAIL),
                .column = Field(result, PG_DIAG_COLUMN_NAME),
                .constraint = Field(result, PG_DIAG_CONSTRAINT_NAME)};
    if (refusal_.state.empty()) return Lost("waiting for the server");
    std::string message = refusal_.message;
    if (!refusal_.detail.empty()) message += ": " + refusal_.detail;
    const std::string hint = Field(result, PG_DIAG_MESSAGE_HINT);
    if (!hint.empty()) message += " (" + hint + ")";
    const std::string context = Field(result, PG_DIAG_CONTEXT);
    if (StartsWith(context, "COPY ")) message += "; " + context.substr(0, context.find('\n'));
    if (refusal_.state == "57014" && limit_.count() > 0)
      message += "; the connection's statement_timeout is " + FormatDuration(limit_);
    Error error = RejectedError(EscapeControl(message));
    error.kind = KindOf(refusal_.state);
    return error;
  }

  // What the server says of a COPY that it has ended by itself.
  Status Refused(const std::stop_token& stop) {
    auto answer = Collect(stop);
    if (!answer.ok()) return std::move(answer).error();
    return Lost("writing rows");
  }

  Error Lost(std::string_view doing) const {
    std::string message = OneLine(PQerrorMessage(connection_.get()));
    if (message.empty()) message = "the connection was closed";
    return TransientError(fmt::format("{} of {}: {}", doing, shown_, EscapeControl(message)));
  }

  // Until the socket can be read (or written); a stop cancels the statement.
  Status Await(short events, const std::stop_token& stop) {
    while (true) {
      if (stop.stop_requested()) {
        Cancel();
        Drain();
        return CancelledError();
      }
      pollfd waiting{.fd = PQsocket(connection_.get()), .events = events, .revents = 0};
      if (waiting.fd < 0) return Lost("waiting for the server");
      ::poll(&waiting, 1, kLookMillis);
      if (waiting.revents != 0) return Ok();
    }
  }

  Status FlushSome(const std::stop_token& stop) {
    const int left = PQflush(connection_.get());
    if (left < 0) return Lost("writing rows");
    if (left == 0) return Ok();
    TRY(Await(POLLIN | POLLOUT, stop));
    if (PQconsumeInput(connection_.get()) == 0) return Lost("writing rows");
    return Ok();
  }
  Status Flush(const std::stop_token& stop) {
    int left = 0;
    while ((left = PQflush(connection_.get())) > 0) {
      TRY(Await(POLLIN | POLLOUT, stop));
      if (PQconsumeInput(connection_.get()) == 0) return Lost("writing rows");
    }
    if (left < 0) return Lost("writing rows");
    return Ok();
  }

  void Cancel() {
    const std::unique_ptr<PGcancel, Freed> cancel(PQgetCancel(connection_.get()));
    char message[256];
    if (cancel != nullptr) PQcancel(cancel.get(), message, sizeof(message));
  }

  // Takes what the server still says, for a bounded time: afterwards the connection is idle or in
  // a failed transaction.
  void Drain() {
    const auto until = std::chrono::steady_clock::now() + kDrain;
    while (!lost() && std::chrono::steady_clock::now() < until) {
      char* buffer = nullptr;
      int size = 0;
      while ((size = PQgetCopyData(connection_.get(), &buffer, 1)) > 0) PQfreemem(buffer);
      if (PQtransactionStatus(connection_.get()) == PQTRANS_ACTIVE)
        (void)PQputCopyEnd(connection_.get(), "abandoned");
      (void)PQflush(connection_.get());
      if (size != 0 && !PQisBusy(connection_.get())) {
        const Held result(PQgetResult(connection_.get()));
        if (result == nullptr) return;
        continue;
      }
      pollfd waiting{.fd = PQsocket(connection_.get()), .events = POLLIN, .revents = 0};
      ::poll(&waiting, 1, kLookMillis);
      if (PQconsumeInput(connection_.get()) == 0) return;
    }
  }

  const std::string shown_;
  const std::chrono::microseconds limit_;  // of a statement; 0: none
  std::unique_ptr<PGconn, Freed> connection_;
  Refusal refusal_;
  uint64_t copied_ = 0;
};

}  // namespace

std::string Refusal::Code() const {
  if (state.empty()) return "";
  std::string code = "SQLSTATE " + state;
  if (!constraint.empty()) code += ", constraint " + EscapeControl(constraint);
  if (!column.empty()) code += ", column " + EscapeControl(column);
  return code;
}

ErrorKind KindOf(std::string_view state) {
  const std::string_view kind = state.substr(0, 2);
  for (const std::string_view unwell : {"08", "40", "57"}) {
    if (kind == unwell) return state == "57014" ? ErrorKind::kRejected : ErrorKind::kTransient;
  }
  for (const std::string_view unwell : {"53200", "53300", "55P03", "25006", "55006"}) {
    if (state == unwell) return ErrorKind::kTransient;
  }
  // Bytes that are not of the column's type: ours.
  if (state == "22P03" || state == "22P04") return ErrorKind::kRejected;
  if (kind == "22" || kind == "23") return ErrorKind::kData;
  // What a trigger raises, a view's check, a value too long for an index: of a row as well.
  if (state == "P0001" || state == "44000" || state == "54000") return ErrorKind::kData;
  if (kind == "42" && state != "42501") return ErrorKind::kConfig;
  return ErrorKind::kRejected;
}

Result<std::unique_ptr<Connection>> Connect(const Settings& settings, const Secret& password,
                                            std::stop_token stop, const EgressPolicy& egress) {
  auto connection = std::make_unique<PqConnection>(settings);
  TRY(connection->Open(settings, password, egress, stop));
  return std::unique_ptr<Connection>(std::move(connection));
}

Result<int64_t> QueryNumber(Connection& connection, const std::string& text,
                            const std::vector<Value>& parameters, std::stop_token stop) {
  const Answer answer = TRY(connection.Run(text, parameters, std::move(stop)));
  if (answer.rows.empty() || answer.rows[0].empty() || !answer.rows[0][0]) return int64_t{0};
  const std::string& number = *answer.rows[0][0];
  int64_t value = 0;
  std::from_chars(number.data(), number.data() + number.size(), value);
  return value;
}

}  // namespace sluice::postgres
