// A runtime that does nothing, for tests to give what they look at.
#pragma once

#include "worker/runtime.h"

namespace muster {

class InertRuntime : public Runtime {
  public:
    Result<void> load(const RuntimeConfig&) override { return {}; }
    Result<void> startWorker() override { return {}; }
    RequestInfo resolve(RequestIo&) noexcept override { return {}; }
    RunOutcome run(RequestIo&) noexcept override { return RunOutcome::served; }
    PageSettings pageSettings() noexcept override { return {}; }
    void interrupt() noexcept override {}
    bool ignoresAbort() noexcept override { return false; }
    void stopWorker() noexcept override {}
    Backtrace backtrace(MemoryReader&, std::size_t) override { return {}; }
    int describe(const RuntimeConfig&, Description) override { return 0; }

  protected:
    ~InertRuntime() = default;
};

}  // namespace muster
