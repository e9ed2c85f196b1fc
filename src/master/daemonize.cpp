// One fork and one pipe.
#include "master/daemonize.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <csignal>
#include <cstdint>
#include <optional>

#include "base/io.h"
#include "base/process.h"
#include "base/signals.h"

namespace muster::master {
namespace {

constexpr std::int32_t kUp = 1;
constexpr std::int32_t kDown = 0;
constexpr int kFailed = 70;

/// Waits for one word; nothing, and the reason logged, when none comes.
std::optional<std::int32_t> awaitWord(int fd, log::ErrorLog& log,
                                      std::chrono::milliseconds patience) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + patience;
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
        pollfd watched{fd, POLLIN, 0};
        const int events =
            ::poll(&watched, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX)));
        if (events < 0 && errno == EINTR) {
            continue;
        }
        if (events < 0) {
            log.error(errnoError("failed to select").value().text());
            return std::nullopt;
        }
        if (events == 0) {
            log.error(
                "the master process didn't send back its status (via the pipe to the calling "
                "process)");
            return std::nullopt;
        }
        std::int32_t word = kDown;
        const ssize_t n = ::read(fd, &word, sizeof word);
        if (n == static_cast<ssize_t>(sizeof word)) {
            return word;
        }
        if (n < 0) {
            log.error(errnoError("failed to read from pipe").value().text());
        } else {
            log.error("no data have been read from pipe");
        }
        return std::nullopt;
    }
}

}  // namespace

void Starter::tell(bool up) {
    if (!fd_) {
        return;
    }
    log_->debug(fmt::format("Sending \"{}\" ({}) to parent via fd={}", up ? kUp : kDown,
                            up ? "OK" : "error", fd_.get()));
    const std::int32_t word = up ? kUp : kDown;
    // A starter that was killed meanwhile needs no answer.
    [[maybe_unused]] const bool told =
        writeAll(fd_.get(), {reinterpret_cast<const char*>(&word), sizeof word});
    fd_.reset();
}

void Starter::tellUp() {
    tell(true);
}

void Starter::tellDown() {
    tell(false);
}

Result<int> runInBackground(log::ErrorLog& log, std::chrono::milliseconds patience,
                            const std::function<int(Starter&)>& master) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) {
        return errnoError("failed to create pipe");
    }
    UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    const auto pid = forkChild([&] {
        reader.reset();
        Starter starter(log, std::move(writer));
        const int status = master(starter);
        starter.tellDown();
        return status;
    });
    if (!pid) {
        return tl::make_unexpected(Error{pid.error().code, "failed to daemonize"});
    }
    writer.reset();
    unblockSignals({SIGTERM, SIGINT, SIGQUIT});  // whoever waits may be tired of it
    log.debug(fmt::format("The calling process is waiting for the master process to ping via fd={}",
                          reader.get()));
    const auto word = awaitWord(reader.get(), log, patience);
    if (word == kUp) {
        log.debug(
            "I received a valid acknowledge from the master process, I can exit without error");
        return 0;
    }
    if (word) {
        log.debug("The master process returned an error !");
    }
    return kFailed;
}

}  // namespace muster::master
