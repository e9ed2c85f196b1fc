// Renders, reopens, writes.
#include "worker/access_log.h"

#include <algorithm>
#include <string_view>

#include "base/io.h"
#include "worker/worker.h"

namespace muster::worker {

AccessLog::AccessLog(const Inputs& inputs)
    : fd_(inputs.fd),
      newestEpoch_(inputs.newestEpoch),
      format_(inputs.format),
      suppressedPaths_(inputs.suppressedPaths),
      errors_(inputs.errors),
      orders_(UniqueFd(inputs.ordersFd)) {}

// Several reopenings may wait; only the last descriptor matters.
void AccessLog::takeNewest() {
    for (;;) {
        const auto outcome = orders_.receive(message_);
        if (!outcome) {
            errors_->warning("unable to receive the new access log: " + outcome.error().text());
            return;
        }
        if (*outcome != MessageChannel::Outcome::message) {
            return;
        }
        if (message_.bytes.size() != sizeof(LogReopened) || message_.descriptors.size() != 1) {
            errors_->warning("an order that this worker does not know was ignored");
            continue;
        }
        reopened_ = std::move(message_.descriptors.front());
        fd_ = reopened_.get();
    }
}

// Only plain successful reads: anything else at such a path is worth a line (spec logging §5.4).
bool AccessLog::isSuppressed(const log::AccessFacts& facts) const {
    if (suppressedPaths_ == nullptr || suppressedPaths_->empty() || facts.uri == nullptr ||
        facts.method == nullptr || facts.query != nullptr || facts.contentLength > 0 ||
        facts.status < 200 || facts.status > 299) {
        return false;
    }
    const std::string_view method = facts.method;
    return (method == "GET" || method == "HEAD") &&
           std::any_of(suppressedPaths_->begin(), suppressedPaths_->end(),
                       [&](const config::KeyValue& path) { return path.value == facts.uri; });
}

void AccessLog::write(const log::AccessFacts& facts) {
    // Descriptors are sent before the epoch is raised: what is not there now does not come for it.
    const std::uint32_t newest = newestEpoch_->load(std::memory_order_acquire);
    if (newest != checkedEpoch_) {
        takeNewest();
        checkedEpoch_ = newest;
    }
    if (isSuppressed(facts)) {
        return;
    }
    line_.clear();
    const bool cut = format_->render(facts, line_);
    if (!line_.empty()) {
        // A failing write (disk full) has nobody left to tell and must not cost the request.
        writeAll(fd_, line_);
    }
    if (cut) {
        errors_->notice("the log buffer is full (" + std::to_string(log::AccessFormat::kMaxLine) +
                        "). The access log request has been truncated.");
    }
}

}  // namespace muster::worker
