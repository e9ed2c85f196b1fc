// What the manager itself answers on the pool's socket while no worker is free: ping, status, and
// 503 to those for whom there is no place or no time.
//
// Manager process. Counts each and writes its access-log line, as a worker would; of refused
// requests the error log tells at most once a second.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "manager/status_connection.h"
#include "manager/worker_birth.h"
#include "scoreboard/segment.h"
#include "worker/access_log.h"

namespace muster::manager {

/// StatusConnection::Asker::reason of connections that are answered here.
enum class WhyAnswered : unsigned { page, lineFull, waitedTooLong };

class OwnAnswers {
  public:
    /// All borrowed but the function. `statusAnswer`: STDOUT for a request of a page.
    struct Parts {
        const WorkerTemplate* workers = nullptr;
        scoreboard::PoolWriter* pen = nullptr;
        std::function<std::string(const fastcgi::Params&)> statusAnswer;
    };
    explicit OwnAnswers(Parts parts);

    /// It asks for ping or status.
    [[nodiscard]] bool isPage(const fastcgi::Params& params) const;
    /// The whole STDOUT.
    [[nodiscard]] std::string answer(const fastcgi::Params& params,
                                     const StatusConnection::Asker& asker);
    /// Once a second, and at the end.
    void tellRefused();

  private:
    void countRefused(WhyAnswered why);
    void log(const fastcgi::Params& params, const StatusConnection::Asker& asker,
             std::string_view headers, int status);

    Parts parts_;
    const config::PoolSettings* pool_;
    const std::atomic<std::uint32_t> noEpoch_{0};  ///< the number stays, the file behind it changes
    worker::AccessLog accessLog_;
    std::uint64_t overLimit_ = 0;  ///< not told yet
    std::uint64_t overdue_ = 0;
};

}  // namespace muster::manager
