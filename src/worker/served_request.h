// One request as the runtime sees it, with its place in the scoreboard and the access log.
//
// Worker side. One object per worker, begun anew for every request; implements RequestIo on a
// ServerConnection.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "fastcgi/server_connection.h"
#include "scoreboard/segment.h"
#include "worker/access_log.h"
#include "worker/client_watch.h"
#include "worker/pages.h"
#include "worker/pool_report.h"
#include "worker/time_limit.h"
#include "worker/worker.h"

namespace muster::worker {

class ServedRequest final : public RequestIo {
  public:
    ServedRequest(const WorkerInputs& inputs, fastcgi::ServerConnection& connection,
                  scoreboard::SlotWriter& slot, AccessLog& accessLog);

    /// First bytes are there: counts the request and starts its clock. `peer`: the web server's
    /// address, null on unix sockets; must outlive the request.
    void begin(const char* peer);
    /// The same for a request that another worker has begun and counted.
    void resume(const char* peer, std::uint64_t sinceNs, std::uint64_t sinceWallNs);
    /// The head is read: everything up to END_REQUEST and behind it.
    [[nodiscard]] RunOutcome run();

    fastcgi::Params& params() noexcept override;
    std::size_t readBody(char* buffer, std::size_t n) noexcept override;
    void hurryBody() noexcept override;
    bool bodyAborted() noexcept override;
    bool bodyStalled() noexcept override;
    void finishStalled() noexcept override;
    bool clientLeft() noexcept override;
    bool writeStdout(const char* data, std::size_t n) noexcept override;
    bool writeStderr(const char* data, std::size_t n) noexcept override;
    bool flush() noexcept override;
    bool finish() noexcept override;
    bool finished() noexcept override;
    bool timeIsUp() noexcept override;
    void finishTimedOut() noexcept override;
    void scriptStarts() noexcept override;
    void scriptReturned(const RequestResult& result) noexcept override;
    void log(LogLevel level, const char* text) noexcept override;
    const PoolStatus* poolStatus() noexcept override;

  private:
    struct CpuTimes {
        std::uint64_t userNs = 0;
        std::uint64_t systemNs = 0;
    };
    [[nodiscard]] static CpuTimes cpuTimes();

    [[nodiscard]] std::string_view timeoutPage(const RequestInfo& info);
    RunOutcome runInTime(const RequestInfo& info);
    void watchClient();
    void endClientWatch();
    void liftLimitUnlessTracked();
    void finishWith(std::string_view page);
    void refuseKeepAliveWhenUnwanted();
    void servePage(Page page, const RequestInfo& info);
    scoreboard::PoolSnapshot lookAround();
    PageResponse status(const RequestInfo& info, const PageSettings& settings);
    void writeAccessLine(const RequestResult& result, std::uint64_t durationNs);
    [[nodiscard]] std::string_view header(std::string_view name) const;

    const WorkerInputs* inputs_;
    fastcgi::ServerConnection* connection_;
    scoreboard::SlotWriter* slot_;
    AccessLog* accessLog_;
    pid_t pid_;
    const char* peer_ = nullptr;
    std::uint64_t cpuBeforeNs_;  ///< of the process, at the end of the request before
    CpuTimes timesBefore_;       ///< only when the access log wants them
    TimeLimit timeLimit_;
    std::unique_ptr<ClientWatch> clientWatch_;  ///< only with request_abort_on_disconnect
    bool isHead_ = false;
    bool bodyGoesOn_ = false;  ///< watched, and the end of its body was not received then
    std::string timeoutPage_;  ///< made for the first request
    std::size_t timeoutHeaders_ = 0;
    std::string_view page_;  ///< timeoutPage_ as this request's method wants it
    const RequestResult* result_ = nullptr;
    std::string_view pageHeaders_;
    std::optional<PoolReport> report_;  ///< what the script was told last
};

}  // namespace muster::worker
