// Asks, waits, passes on.
#include "master/traces.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>
#include <vector>

#include "base/shared_memory.h"

namespace muster::master {

namespace {

constexpr std::chrono::milliseconds kPatience{2'000};

}  // namespace

void Traces::ask(Generation& generation, pid_t worker, OnDone done) {
    auto answer = createSegment("muster-trace", manager::liveTraceSize());
    if (!answer) {
        done(tl::make_unexpected(answer.error()));
        return;
    }
    const std::uint64_t ticket = next_++;
    if (auto asked = generation.askForTrace(worker, ticket, answer->get()); !asked) {
        done(tl::make_unexpected(asked.error()));
        return;
    }
    const pid_t manager = generation.pid();
    Question& question = open_[ticket];
    question.manager = manager;
    question.answer = std::move(*answer);
    question.done = std::move(done);
    question.deadline = loop_->after(kPatience, [this, ticket, manager] {
        close(ticket, plainError(fmt::format("manager {} has not answered within {} seconds",
                                             manager, kPatience.count() / 1000)));
    });
}

void Traces::answered(const Generation& generation, const manager::ControlMessage& message) {
    const auto found = open_.find(message.ticket);
    if (found == open_.end() || found->second.manager != generation.pid()) {
        return;  // too late, or not its to answer
    }
    if (message.value == 0) {
        close(message.ticket, plainError(message.text));
    } else {
        auto trace = manager::readLiveTrace(found->second.answer.get());
        if (trace) {
            trace->pool = generation.inputs().pool.name;
        }
        close(message.ticket, trace);
    }
}

void Traces::gone(pid_t manager) {
    std::vector<std::uint64_t> unanswered;
    for (const auto& [ticket, question] : open_) {
        if (question.manager == manager) {
            unanswered.push_back(ticket);
        }
    }
    for (const std::uint64_t ticket : unanswered) {
        close(ticket, plainError(fmt::format("manager {} died before it had answered", manager)));
    }
}

void Traces::close(std::uint64_t ticket, const Result<manager::LiveTrace>& outcome) {
    auto question = open_.extract(ticket);
    if (!question.empty()) {
        question.mapped().done(outcome);
    }
}

}  // namespace muster::master
