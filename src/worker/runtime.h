// The one interface between the worker loop and what runs requests (design §6).
//
// A runtime is a shared object that exports `musterRuntime` (RuntimeEntry). Life of one object:
// load() in the pool manager, as the pool's user, before any worker is forked; startWorker() in
// each worker after fork; then resolve()+run() per request, one at a time; stopWorker() at the
// end. describe() is for -v, -i and -m in a process that serves nothing.
//
// Frames of the engine may leave by longjmp: RequestIo's members are noexcept and hold no owning
// object across a call that may do so, and a runtime keeps none on the stack between the engine
// and the frame that catches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/backtrace.h"
#include "base/log_level.h"
#include "base/result.h"
#include "fastcgi/params.h"

namespace muster {

inline constexpr std::uint32_t kRuntimeAbi = 4;

/// What a runtime needs to load. Strings are copied by the runtime if it keeps them.
struct RuntimeConfig {
    std::string iniPath;     ///< -c: a file or directory; empty: the runtime's default
    bool ignoreIni = false;  ///< -n
    /// -d, in order; the values as text of an ini file
    std::vector<std::pair<std::string, std::string>> iniDefinitions;
    bool extendedInfo = false;    ///< -e: compile scripts with what debuggers and profilers need
    std::string executable;       ///< path shown as PHP_BINARY
    bool earlyHints = false;      ///< early_hints: the web server passes 103 responses on
    std::string limitExtensions;  ///< security.limit_extensions
    std::string execBasedir;      ///< security.exec_basedir
    bool allowPhpValue = true;    ///< security.allow_php_value
    std::vector<std::pair<std::string, std::string>> values;  ///< php_value, first applied first
    std::vector<std::pair<std::string, std::string>> adminValues;  ///< php_admin_value
    LogLevel logLevel = LogLevel::notice;
    int logLimit = 1024;
};

/// What a request is, once the runtime has looked at its parameters. Pointers refer to the
/// request's Params or to memory of the runtime that lives until the next resolve().
struct RequestInfo {
    const char* method = nullptr;
    const char* uri = nullptr;  ///< script name as the scoreboard and status page use it
    const char* query = nullptr;
    const char* script = nullptr;  ///< resolved path; null: there is none (404)
    const char* user = nullptr;    ///< authenticated user
    std::int64_t contentLength = 0;
};

/// What the access log and the scoreboard want to know when the script has returned.
struct RequestResult {
    int status = 200;
    bool timedOut = false;   ///< RequestIo::finishTimedOut() comes next
    bool abandoned = false;  ///< the script was ended because its client had left
    std::uint64_t memoryPeak = 0;
    /// Value of a response header by its exact name; valid during RequestIo::scriptReturned only.
    std::string_view (*header)(std::string_view name) = nullptr;
};

/// One worker of the pool, for fpm_get_status(). Times and sizes as the status page shows them;
/// texts as they came from clients, never null.
struct WorkerStatus {
    std::int32_t pid = 0;
    const char* state = "";
    std::int64_t startTime = 0;  ///< seconds of the epoch
    std::uint64_t startSince = 0;
    std::uint64_t requests = 0;
    std::uint64_t requestDurationUs = 0;
    const char* method = "";
    const char* uri = "";
    const char* query = "";
    std::int64_t contentLength = 0;
    const char* user = "";
    const char* script = "";
    double cpuPercent = 0;
    std::uint64_t memory = 0;
};

/// The pool, likewise.
struct PoolStatus {
    const char* pool = "";
    const char* processManager = "";
    std::int64_t startTime = 0;
    std::uint64_t startSince = 0;
    std::uint64_t acceptedConnections = 0;
    std::uint64_t listenQueue = 0;
    std::uint64_t maxListenQueue = 0;
    std::uint64_t listenQueueLength = 0;
    std::uint64_t idle = 0;
    std::uint64_t active = 0;
    std::uint64_t maxActive = 0;
    std::uint64_t maxChildrenReached = 0;
    std::uint64_t slowRequests = 0;
    std::uint64_t memoryPeak = 0;
    const WorkerStatus* workers = nullptr;  ///< used slots, in their order
    std::size_t workerCount = 0;
};

/// The worker's side of one request, as the runtime sees it. Implemented by the worker loop.
class RequestIo {
  public:
    virtual fastcgi::Params& params() noexcept = 0;
    /// Body bytes; 0 at the end of STDIN. Bounding by CONTENT_LENGTH is the runtime's business.
    virtual std::size_t readBody(char* buffer, std::size_t n) noexcept = 0;
    /// From now on readBody() waits for each piece only a moment: a body that has not come by then
    /// ends there.
    virtual void hurryBody() noexcept = 0;
    /// True when the body ended by an abort or a broken connection instead of an empty STDIN.
    virtual bool bodyAborted() noexcept = 0;
    /// True when it ended because nothing of it came for request_body_timeout.
    virtual bool bodyStalled() noexcept = 0;
    /// finish() for such a request: a 408 page in the place of what has not left yet; a response
    /// that has begun to leave is broken off.
    virtual void finishStalled() noexcept = 0;
    /// True once the client has left before finish(), in a pool that ends scripts then
    /// (request_abort_on_disconnect; Runtime::interrupt() was called).
    virtual bool clientLeft() noexcept = 0;
    /// False: the peer is gone.
    virtual bool writeStdout(const char* data, std::size_t n) noexcept = 0;
    virtual bool writeStderr(const char* data, std::size_t n) noexcept = 0;
    virtual bool flush() noexcept = 0;
    /// Ends the request towards the peer (END_REQUEST, close unless kept alive); true once.
    virtual bool finish() noexcept = 0;
    virtual bool finished() noexcept = 0;
    /// True once the request has taken longer than it may (Runtime::interrupt() was called). False
    /// again when it has ended all the same before anything was cut short.
    virtual bool timeIsUp() noexcept = 0;
    /// finish() for a request whose script was ended because timeIsUp(): a 504 page in the place of
    /// what has not left yet; a response that has begun to leave is broken off.
    virtual void finishTimedOut() noexcept = 0;
    /// The script is about to run (stage Running).
    virtual void scriptStarts() noexcept = 0;
    /// The script has returned, shutdown functions have not run: scoreboard and access log.
    virtual void scriptReturned(const RequestResult& result) noexcept = 0;
    /// A line for the worker's own log (fd 2), subject to log_level.
    virtual void log(LogLevel level, const char* text) noexcept = 0;
    /// The pool as it is now; null when it cannot be told. The caller keeps nothing of it: it is
    /// the worker loop's until the next call or the end of the request.
    virtual const PoolStatus* poolStatus() noexcept = 0;

  protected:
    ~RequestIo() = default;
};

/// The engine's say in the headers of pages it does not make. Texts live until the next request.
struct PageSettings {
    std::string_view poweredBy{};             ///< "X-Powered-By: PHP/8.2.35", or empty
    std::string_view charset = "UTF-8";       ///< default_charset; empty: none is named
    std::string_view mimeType = "text/html";  ///< default_mimetype
    bool readsQuery = true;                   ///< scripts find the query string in $_GET
};

enum class RunOutcome {
    served,
    broken,       ///< the runtime cannot go on in this process: the worker ends (exit code 70)
    exhausted,    ///< served, but left where memory ran out: the process should be replaced
    changed,      ///< served, but the process is not what it was, for good: it must be replaced
    interrupted,  ///< served, but cut short somewhere: the process must be replaced
    abandoned,    ///< the same, because the client left
};

enum class Description { version, information, modules };

class Runtime {
  public:
    Runtime() = default;
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;

    /// Manager, once, as the pool's user. May take long (preload). An error fails the generation.
    virtual Result<void> load(const RuntimeConfig& config) = 0;
    /// What an operator should know about what was loaded, a sentence each. Manager, after load().
    virtual std::vector<std::string> warnings() { return {}; }
    /// Worker, after fork and after the worker's signal handlers stand.
    virtual Result<void> startWorker() = 0;
    /// Looks at (and may correct) the parameters; decides what runs.
    virtual RequestInfo resolve(RequestIo& io) noexcept = 0;
    /// Runs what resolve() decided, to the end of the response.
    virtual RunOutcome run(RequestIo& io) noexcept = 0;
    /// For pages that are answered without it: worker, and manager after load().
    virtual PageSettings pageSettings() noexcept = 0;
    /// The request at hand has taken too long (RequestIo::timeIsUp()): end what runs as soon as
    /// possible, as by an error nobody can catch. Or its client has left (clientLeft()): do what
    /// the script wants done then. Called by a signal handler or another thread, at any moment,
    /// also several times: async-signal-safe.
    virtual void interrupt() noexcept = 0;
    /// What runs goes on without its client and is not to be disturbed. Called as interrupt().
    virtual bool ignoresAbort() noexcept = 0;
    /// Worker, before it exits.
    virtual void stopWorker() noexcept = 0;
    /// Manager, any time after load(): the innermost `depth` calls of what a worker runs, read from
    /// its memory, whose addresses are those of this process. The worker is not disturbed.
    virtual Backtrace backtrace(MemoryReader& worker, std::size_t depth) = 0;
    /// Prints to stdout and returns the exit code. A process that calls this serves nothing.
    virtual int describe(const RuntimeConfig& config, Description what) = 0;

  protected:
    ~Runtime() = default;
};

/// What a plugin exports as `extern "C" const muster::RuntimeEntry musterRuntime`.
struct RuntimeEntry {
    std::uint32_t abi;
    const char* name;
    Runtime* (*create)();
};

/// Loads the plugin `name` ("php" → muster-php.so in lib/muster beside the executable's bin/ or
/// sbin/, or in MUSTER_RUNTIME_DIR when that variable is set), with its symbols global. Manager.
[[nodiscard]] Result<Runtime*> loadRuntime(std::string_view name);

}  // namespace muster
