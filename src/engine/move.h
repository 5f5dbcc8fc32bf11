// The rows of one epoch, from frozen ranges into open landings: opens the sources, renders the flow
// as DuckDB queries with taps, runs them, and closes the books. Nothing it does is visible to
// anybody.
//
// A flow with one load and no state is one query, run in the landing's own session. Where several
// readers need the same rows, or rows wait in state, they are staged first in DuckDB's in-memory
// `stage` database, which spills.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "connector/sink.h"
#include "connector/source.h"
#include "engine/books.h"
#include "engine/programs.h"
#include "engine/state.h"
#include "engine/world.h"
#include "pipeline/plan.h"
#include "sql/tap.h"

namespace sluice {

// "step\x1fpartition", the keys of EpochRecord::position and watermarks.
std::string PartitionKey(const std::string& step, const std::string& partition);
std::map<std::string, Micros> WatermarksOf(const std::map<std::string, Micros>& all,
                                           const std::string& step);
Position PositionOf(const Position& all, const std::string& step);

struct OpenLanding {
  Landing* landing = nullptr;  // null: this sink already has the epoch
  std::vector<size_t> loads;   // indices into flow.loads, in the order of the sink's loads
};

struct Moved {
  Books books;
  std::vector<Letter> letters;               // located where their sources can say where
  std::map<std::string, Landed> landed;      // load step -> what its destination says
  std::map<std::string, Micros> watermarks;  // PartitionKey -> Wp
  Micros fired{0};
  std::vector<StateStore::Addition>
      state;  // what the epoch leaves in state; valid while the Mover lives
};

class Mover {  // the driver's thread; one epoch
 public:
  Mover(const Plan& plan, const Flow& flow, World& world, const RunOptions& options,
        sql::Session& work, Programs& programs);
  ~Mover();
  Mover(const Mover&) = delete;
  Mover& operator=(const Mover&) = delete;

  struct Input {
    Source* source = nullptr;
    Range range;
  };
  // `watermarks` and `fired`: of the epoch before. `joined`: W from all partitions' Wp, called once
  // all rows have been read. `state`: null without a keyed step.
  Result<Moved> Move(const std::map<std::string, Input>& inputs,
                     const std::vector<OpenLanding>& landings,
                     const std::map<std::string, Micros>& watermarks, Micros fired,
                     const std::function<Micros(const std::map<std::string, Micros>&)>& joined,
                     StateStore* state, std::stop_token stop);
  // The first rows that a step gives, computed as a run would compute them, and loaded nowhere.
  // The records that could not become rows in what was peeked at.
  Result<std::vector<Letter>> TakeLetters();
  Result<sql::Rows> Peek(const std::map<std::string, Input>& inputs, const relation::Ref& rows,
                         uint64_t limit, std::stop_token stop);

 private:
  struct Reading;
  struct PlacedTap {
    relation::TapPlan plan;
    std::unique_ptr<sql::Tap> tap;
  };

  Result<relation::InputText> OpenInput(const std::string& step, sql::Session& session);
  Result<relation::InputText> ScanText(Reading& reading, const PlannedExtract& extract);
  relation::RenderOptions Options(sql::Session& session);
  Status StageShared(const std::vector<relation::Ref>& roots);
  Status StageKeyed(const relation::Ref& ref, Micros fired, const StateStore* state,
                    const std::function<Micros(const std::map<std::string, Micros>&)>& joined,
                    Moved& moved);
  Result<Landed> Write(const PlannedLoad& load, Landing& landing, size_t index);
  Result<std::optional<Landed>> Relay(const PlannedLoad& load, Landing& landing, size_t index);
  Result<std::string> Stage(const std::string& select, const std::vector<relation::Bound>& bound);
  Status Finish(sql::Session& session, BookKeeper& books, Moved& moved);
  Result<uint64_t> CountOf(const std::string& select);

  const Plan& plan_;
  const Flow& flow_;
  World& world_;
  const RunOptions& options_;
  sql::Session& work_;
  Programs& programs_;
  std::stop_token stop_;
  std::map<std::string, Input> inputs_;
  std::map<std::string, Micros> watermarks_;
  std::map<std::string, std::unique_ptr<Reading>> readings_;
  std::vector<PlacedTap> taps_;
  std::vector<std::unique_ptr<Programs::Turn>> turns_;
  std::map<const relation::Node*, std::string> staged_;  // node -> what follows FROM
  std::vector<std::string> tables_;                      // of `stage`, dropped at the end
  struct KeyedCounts {
    std::string step;
    uint64_t out = 0, deduplicated = 0;
    int64_t held = 0;
  };
  std::vector<KeyedCounts> keyed_;
};

}  // namespace sluice
