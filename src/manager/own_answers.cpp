// Pages, refusals, and the lines about them.
#include "manager/own_answers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "log/or_null.h"
#include "manager/status_answer.h"
#include "worker/pages.h"
#include "worker/peer_address.h"

namespace muster::manager {
namespace {

constexpr int kOk = 200;
constexpr int kUnavailable = 503;

std::int64_t contentLength(const fastcgi::Params& params) {
    const char* text = params.get("CONTENT_LENGTH");
    std::int64_t length = 0;
    if (text != nullptr) {
        std::from_chars(text, text + std::strlen(text), length);
    }
    return length < 0 ? 0 : length;
}

/// What a line needs beside its plain facts.
struct LineContext {
    const fastcgi::Params* params;
    std::string_view headers;
};

}  // namespace

OwnAnswers::OwnAnswers(Parts parts)
    : parts_(std::move(parts)),
      pool_(&parts_.workers->inputs->pool),
      accessLog_({.fd = parts_.workers->accessLogFd,
                  .ordersFd = -1,
                  .newestEpoch = &noEpoch_,
                  .format = parts_.workers->accessFormat,
                  .suppressedPaths = &pool_->accessSuppressPaths,
                  .errors = parts_.workers->log}) {}

bool OwnAnswers::isPage(const fastcgi::Params& params) const {
    return worker::pageFor(*pool_, requestInfoOf(params)) != worker::Page::none;
}

std::string OwnAnswers::answer(const fastcgi::Params& params,
                               const StatusConnection::Asker& asker) {
    if (isPage(params)) {
        parts_.pen->addRetired({.requests = 1});
        std::string page = parts_.statusAnswer(params);
        log(params, asker, page, kOk);
        return page;
    }
    countRefused(static_cast<WhyAnswered>(asker.reason));
    const worker::PageResponse page =
        worker::overloadPage(parts_.workers->runtime->pageSettings(), pool_->queueRetryAfter);
    log(params, asker, page.headers, kUnavailable);
    return page.headers + (worker::isHead(requestInfoOf(params)) ? std::string() : page.body);
}

void OwnAnswers::countRefused(WhyAnswered why) {
    if (why == WhyAnswered::waitedTooLong) {
        parts_.pen->countOverdue();
        ++overdue_;
    } else {
        parts_.pen->countOverLimit();
        ++overLimit_;
    }
}

void OwnAnswers::tellRefused() {
    if (overLimit_ > 0) {
        parts_.workers->log->warning(
            fmt::format("[pool {}] {} request(s) answered with 503: all workers are busy and "
                        "pm.queue_limit ({}) others wait",
                        pool_->name, std::exchange(overLimit_, 0), pool_->queueLimit));
    }
    if (overdue_ > 0) {
        parts_.workers->log->warning(
            fmt::format("[pool {}] {} request(s) answered with 503: no worker was free within "
                        "pm.queue_timeout ({}s)",
                        pool_->name, std::exchange(overdue_, 0), pool_->queueTimeout));
    }
}

void OwnAnswers::log(const fastcgi::Params& params, const StatusConnection::Asker& asker,
                     std::string_view headers, int status) {
    if (!accessLog_.isOn()) {
        return;
    }
    const RequestInfo info = requestInfoOf(params);
    const std::string peer = worker::peerText(asker.connection);
    const std::uint64_t now = monotonicNs();
    log::AccessFacts facts;
    facts.pool = pool_->name.c_str();
    facts.method = log::orNull(info.method);
    facts.uri = log::orNull(params.get("SCRIPT_NAME"));
    facts.query = log::orNull(info.query);
    facts.peer = log::orNull(peer.c_str());
    facts.contentLength = contentLength(params);
    facts.status = status;
    facts.durationNs = now - std::min(asker.sinceNs, now);
    facts.nowWallNs = wallNs();
    facts.acceptedWallNs = facts.nowWallNs - facts.durationNs;
    facts.workerPid = ::getpid();
    facts.masterPid = parts_.workers->inputs->masterPid;
    const LineContext context{&params, headers};
    facts.context = &context;
    facts.param = [](const void* from, std::string_view name) {
        return static_cast<const LineContext*>(from)->params->get(name);
    };
    facts.header = [](const void* from, std::string_view name) {
        return worker::headerValue(static_cast<const LineContext*>(from)->headers, name);
    };
    accessLog_.write(facts);
}

}  // namespace muster::manager
