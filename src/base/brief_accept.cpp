// The timer around accept(2).
#include "base/brief_accept.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "base/io.h"
#include "base/listen_socket.h"
#include "base/signals.h"

namespace muster {
namespace {

/// Repeats, because the first signal may come before the call that it is to end.
class Timer {
  public:
    Timer() { set(1000); }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    ~Timer() { set(0); }

  private:
    static void set(suseconds_t microseconds) {
        const timeval period{0, microseconds};
        const itimerval both{period, period};
        ::setitimer(ITIMER_REAL, &both, nullptr);
    }
};

void onAlarm(int) {}

}  // namespace

Result<BriefAccept> BriefAccept::install() {
    if (auto installed = installHandler(SIGALRM, onAlarm); !installed) {
        return tl::make_unexpected(installed.error());
    }
    return BriefAccept();
}

BriefAccept::Catch BriefAccept::take(int listener, int most) const {
    Catch result;
    if (!isReadable(listener)) {
        return result;
    }
    const Timer timer;
    for (int i = 0; i < most; ++i) {
        if (i > 0 && !isReadable(listener)) {
            return result;
        }
        UniqueFd connection(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
        if (connection) {
            result.connections.push_back(std::move(connection));
            continue;
        }
        const int error = errno;
        if (error == EINTR || error == EAGAIN || error == EWOULDBLOCK) {
            return result;  // somebody else was faster
        }
        if (!concernsOneConnection(error)) {
            result.error = error;
            return result;
        }
    }
    result.more = true;
    return result;
}

}  // namespace muster
