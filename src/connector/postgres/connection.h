// One connection to a server: the only file that knows libpq. Every wait looks at the stop token;
// a stop cancels what the server is doing.
//
// A COMMIT that was sent and whose answer did not come is kUnsettled and nothing else: everything
// before it is undone by the server when the connection ends.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/egress.h"
#include "base/result.h"
#include "base/secret.h"
#include "connector/postgres/settings.h"

namespace sluice::postgres {

using Value = std::optional<std::string>;  // as the server prints it; nullopt: NULL

struct AnswerColumn {
  std::string name;
  uint32_t type = 0;  // oid; of a domain that of what it stands on
  int32_t modifier = -1;
};
struct Answer {  // of the last statement
  std::vector<AnswerColumn> columns;
  std::vector<std::vector<Value>> rows;
  uint64_t changed = 0;
};

// Why the server refused the last statement.
struct Refusal {
  std::string state;  // SQLSTATE
  std::string message, detail, column, constraint;

  // "SQLSTATE 23505, constraint orders_pkey"; empty: it has refused nothing.
  std::string Code() const;
};

class Connection {  // one thread at a time
 public:
  virtual ~Connection() = default;

  // One statement with parameters $1…, or, without parameters, one or more.
  virtual Result<Answer> Run(const std::string& text, const std::vector<Value>& parameters = {},
                             std::stop_token stop = {}) = 0;
  virtual Status Begin() = 0;
  virtual Status Commit() = 0;
  // Within a transaction: what has been done since Mark is undone by Undo, and what comes after it
  // goes on. Marks do not nest.
  virtual Status Mark() = 0;
  virtual Status Keep() = 0;
  virtual Status Undo() = 0;
  virtual Status Rollback() = 0;  // fine where no transaction is open or the connection is lost

  // `text`: COPY … TO STDOUT. Read appends the next message (one row) to `into`; false: the end,
  // and `copied` is what the server says it sent.
  virtual Status StartRead(const std::string& text, std::stop_token stop) = 0;
  virtual Result<bool> Read(std::vector<char>& into, std::stop_token stop) = 0;
  virtual uint64_t copied() const = 0;
  // `text`: COPY … FROM STDIN. Finish gives the rows that the server took.
  virtual Status StartWrite(const std::string& text, std::stop_token stop) = 0;
  virtual Status Write(std::span<const char> bytes, std::stop_token stop) = 0;
  virtual Result<uint64_t> FinishWrite(std::stop_token stop) = 0;
  virtual void AbandonWrite() = 0;

  virtual const Refusal& refusal() const = 0;
  virtual bool lost() const = 0;
  virtual int64_t process() const = 0;  // the server's process
  virtual int version() const = 0;      // 150018
  virtual bool utf8() const = 0;        // the server checks that texts are UTF-8
};

// `egress`: where the host may lead; the connection goes to an address that was judged.
Result<std::unique_ptr<Connection>> Connect(const Settings& settings, const Secret& password,
                                            std::stop_token stop = {},
                                            const EgressPolicy& egress = {});

// The first value of the first row as a number; 0 where there is none.
Result<int64_t> QueryNumber(Connection& connection, const std::string& text,
                            const std::vector<Value>& parameters = {}, std::stop_token stop = {});

ErrorKind KindOf(std::string_view state);  // of a SQLSTATE

}  // namespace sluice::postgres
