// See fakes.h.
#include "harness/fakes.h"

#include <utility>

namespace sluice::harness {

namespace {

class FaultyLanding : public Landing {
 public:
  FaultyLanding(std::unique_ptr<Landing> real, const CommitFault& commit)
      : real_(std::move(real)), commit_(commit) {}
  EpochId epoch() const override { return real_->epoch(); }
  sql::Session& session() override { return real_->session(); }
  Result<Landed> Write(size_t index, const std::string& select,
                       const std::vector<sql::Bound>& bound, std::stop_token stop) override {
    return real_->Write(index, select, bound, std::move(stop));
  }
  Result<uint64_t> Run(const std::string& statement, const std::vector<sql::Bound>& bound,
                       std::stop_token stop) override {
    return real_->Run(statement, bound, std::move(stop));
  }
  Status Commit(const EpochRecord& record) override { return commit_(*real_, record); }
  Landing& real() { return *real_; }

 private:
  std::unique_ptr<Landing> real_;
  const CommitFault& commit_;
};

class FaultySink : public Sink {
 public:
  FaultySink(std::unique_ptr<Sink> real, CommitFault commit)
      : real_(std::move(real)), commit_(std::move(commit)) {}
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
    return Wrap(TRY(real_->Publish(lane, loads, number, landed, std::move(stop))));
  }
  Status Sweep(const Lane& lane, EpochId decided) override { return real_->Sweep(lane, decided); }
  Status TakeBack(Landing& landing, const std::vector<Load>& loads,
                  const std::vector<EpochId>& epochs) override {
    return real_->TakeBack(static_cast<FaultyLanding&>(landing).real(), loads, epochs);
  }

 private:
  std::unique_ptr<Landing> Wrap(std::unique_ptr<Landing> landing) {
    return std::make_unique<FaultyLanding>(std::move(landing), commit_);
  }

  std::unique_ptr<Sink> real_;
  CommitFault commit_;
};

}  // namespace

Connectors WithCommitFault(Connectors connectors, const std::string& type, CommitFault commit) {
  for (Connector& connector : connectors) {
    if (connector.type != type) continue;
    auto real = connector.sink;
    connector.sink = [real, commit](
                         const Node* connection, const std::vector<Load>& loads,
                         const ConnectorContext& context) -> Result<std::unique_ptr<Sink>> {
      return std::unique_ptr<Sink>(
          std::make_unique<FaultySink>(TRY(real(connection, loads, context)), commit));
    };
  }
  return connectors;
}

}  // namespace sluice::harness
