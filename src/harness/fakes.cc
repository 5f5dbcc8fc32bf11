// See fakes.h.
#include "harness/fakes.h"

#include <utility>

namespace sluice::harness {

namespace {

class FaultyLanding : public Landing {
 public:
  FaultyLanding(std::unique_ptr<Landing> real, const LandingFault& fault)
      : real_(std::move(real)), fault_(fault) {}
  EpochId epoch() const override { return real_->epoch(); }
  sql::Session& session() override { return real_->session(); }
  Result<Landed> Write(size_t index, const std::string& select,
                       const std::vector<sql::Bound>& bound, std::stop_token stop) override {
    Landed landed = TRY(real_->Write(index, fault_.select ? fault_.select(select) : select, bound,
                                     std::move(stop)));
    landed.rows = static_cast<uint64_t>(static_cast<int64_t>(landed.rows) + fault_.lie);
    return landed;
  }
  Result<uint64_t> Run(const std::string& statement, const std::vector<sql::Bound>& bound,
                       std::stop_token stop) override {
    return real_->Run(statement, bound, std::move(stop));
  }
  Status Commit(const EpochRecord& record) override {
    return fault_.commit ? fault_.commit(*real_, record) : real_->Commit(record);
  }
  Landing& real() { return *real_; }

 private:
  std::unique_ptr<Landing> real_;
  const LandingFault& fault_;
};

class FaultySink : public Sink {
 public:
  FaultySink(std::unique_ptr<Sink> real, LandingFault fault)
      : real_(std::move(real)), fault_(std::move(fault)) {}
  Result<Capabilities> Describe() override { return real_->Describe(); }
  Result<std::optional<Schema>> Target(const Load& load) override { return real_->Target(load); }
  Status Prepare(const std::vector<Load>& loads, std::stop_token stop) override {
    return real_->Prepare(loads, std::move(stop));
  }
  Result<std::optional<EpochRecord>> Last(const Lane& lane) override { return real_->Last(lane); }
  Result<std::vector<LoadedRange>> Loaded(const Lane& lane) override { return real_->Loaded(lane); }
  Result<std::unique_ptr<Landing>> Begin(const Lane& lane, const std::vector<Load>& loads,
                                         Visibility visibility,
                                         std::optional<EpochId> number) override {
    return Wrap(TRY(real_->Begin(lane, loads, visibility, number)));
  }
  Result<std::unique_ptr<Landing>> Publish(const Lane& lane, const std::vector<Load>& loads,
                                           std::optional<EpochId> number,
                                           std::vector<Landed>& landed,
                                           std::stop_token stop) override {
    auto landing = TRY(real_->Publish(lane, loads, number, landed, std::move(stop)));
    for (Landed& one : landed)
      one.rows = static_cast<uint64_t>(static_cast<int64_t>(one.rows) + fault_.publish_lie);
    return Wrap(std::move(landing));
  }
  Status Prune(const Lane& lane, uint64_t keep, Needed needed) override {
    return real_->Prune(lane, keep, needed);
  }
  Status Sweep(const Lane& lane, EpochId decided) override { return real_->Sweep(lane, decided); }
  Status TakeBack(Landing& landing, const std::vector<Load>& loads,
                  const std::vector<EpochId>& epochs) override {
    return real_->TakeBack(static_cast<FaultyLanding&>(landing).real(), loads, epochs);
  }

 private:
  std::unique_ptr<Landing> Wrap(std::unique_ptr<Landing> landing) {
    return std::make_unique<FaultyLanding>(std::move(landing), fault_);
  }

  std::unique_ptr<Sink> real_;
  LandingFault fault_;
};

}  // namespace

Connectors WithLandingFault(Connectors connectors, const std::string& type, LandingFault fault) {
  for (Connector& connector : connectors) {
    if (!connector.sink || (!type.empty() && connector.type != type)) continue;
    auto real = connector.sink;
    connector.sink = [real, fault](
                         const Node* connection, const std::vector<Load>& loads,
                         const ConnectorContext& context) -> Result<std::unique_ptr<Sink>> {
      return std::unique_ptr<Sink>(
          std::make_unique<FaultySink>(TRY(real(connection, loads, context)), fault));
    };
  }
  return connectors;
}

}  // namespace sluice::harness
