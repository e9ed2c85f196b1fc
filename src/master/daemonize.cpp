// One fork and one pipe.
#include "master/daemonize.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>

#include "base/io.h"
#include "base/process.h"
#include "base/signals.h"

namespace muster::master {
namespace {

constexpr std::int32_t kUp = 1;
constexpr int kFailed = 70;

bool readsUp(int fd) {
    std::int32_t word = 0;
    for (;;) {
        const ssize_t n = ::read(fd, &word, sizeof word);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        return n == static_cast<ssize_t>(sizeof word) && word == kUp;
    }
}

}  // namespace

void Starter::tellUp() {
    if (fd_) {
        const std::int32_t word = kUp;
        // A starter that was killed meanwhile needs no answer.
        [[maybe_unused]] const bool told =
            writeAll(fd_.get(), {reinterpret_cast<const char*>(&word), sizeof word});
        fd_.reset();
    }
}

Result<int> runInBackground(const std::function<int(Starter)>& master) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) {
        return errnoError("failed to create pipe");
    }
    UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    const auto pid = forkChild([&] {
        reader.reset();
        unblockAllSignals();
        return master(Starter(std::move(writer)));
    });
    if (!pid) {
        return plainError("failed to daemonize: " + pid.error().text());
    }
    writer.reset();
    // The child's end closes the pipe, so this wait is bounded by the master's own deadlines.
    return readsUp(reader.get()) ? 0 : kFailed;
}

}  // namespace muster::master
