// The decisions about requests that take too long.
#include "manager/overtime.h"

#include <algorithm>

namespace muster::manager {
namespace {

using scoreboard::Stage;

bool isAtWork(Stage stage) {
    return stage == Stage::readingHeaders || stage == Stage::gettingInfo || stage == Stage::running;
}

bool isOver(Stage stage) {
    return stage == Stage::starting || stage == Stage::idle || stage == Stage::keepAlive ||
           stage == Stage::offDuty;
}

Judgement take(Overtime& overtime, Overtime::Step step, Act act, std::uint64_t nowNs,
               std::uint64_t lookAgainNs) {
    overtime.step = step;
    overtime.actedNs = nowNs;
    return {.act = act, .lookAgainNs = lookAgainNs};
}

/// SIGTERM, later SIGKILL.
Judgement end(Overtime& overtime, std::uint64_t nowNs) {
    const bool again = overtime.step == Overtime::Step::terminated;
    return take(overtime, Overtime::Step::terminated, again ? Act::kill : Act::terminate, nowNs,
                nowNs + kTerminateNs);
}

Judgement interrupt(const TimeRules& rules, Overtime& overtime, Act act, std::uint64_t nowNs) {
    return take(overtime, Overtime::Step::interrupted, act, nowNs,
                std::min(overtime.sinceNs + rules.graceNs, nowNs + kInterruptAgainNs));
}

/// The limit was still far away at the last look.
Judgement judgeFirst(const TimeRules& rules, const ObservedRequest& seen, Overtime& overtime,
                     std::uint64_t nowNs) {
    std::optional<std::uint64_t> next;
    if (rules.slowNs > 0 && !overtime.toldSlow && seen.stage <= Stage::running &&
        isAtWork(seen.stage)) {
        if (seen.stage == Stage::running && seen.elapsedNs >= rules.slowNs) {
            overtime.toldSlow = true;
            return {.act = Act::tellSlow, .lookAgainNs = nowNs};
        }
        if (seen.elapsedNs < rules.slowNs) {
            next = nowNs + rules.slowNs - seen.elapsedNs;
        }
    }
    const bool limited = isAtWork(seen.stage) || seen.stage == Stage::ending || rules.trackFinished;
    if (rules.limitNs == 0 || !limited) {
        return {.lookAgainNs = next};
    }
    if (seen.elapsedNs < rules.limitNs) {
        const std::uint64_t due = nowNs + rules.limitNs - seen.elapsedNs;
        return {.lookAgainNs = std::min(next.value_or(due), due)};
    }
    overtime.sinceNs = nowNs;
    Judgement first = rules.graceNs > 0 ? interrupt(rules, overtime, Act::interrupt, nowNs)
                                        : end(overtime, nowNs);
    first.overLimit = true;
    return first;
}

}  // namespace

TimeRules TimeRules::of(const config::PoolSettings& pool) {
    return {.slowNs = secondsToNs(pool.requestSlowlogTimeout),
            .limitNs = secondsToNs(pool.requestTerminateTimeout),
            .graceNs = secondsToNs(pool.requestTerminateGrace),
            .trackFinished = pool.requestTerminateTimeoutTrackFinished};
}

Judgement judgeRequest(const TimeRules& rules, const ObservedRequest& seen, Overtime& overtime,
                       std::uint64_t nowNs) {
    if (overtime.request != seen.name) {
        overtime = {.request = seen.name};
    }
    if (seen.name == 0 || isOver(seen.stage)) {
        overtime.step = Overtime::Step::none;
        return {};
    }
    switch (overtime.step) {
        case Overtime::Step::none:
            return judgeFirst(rules, seen, overtime, nowNs);
        case Overtime::Step::interrupted: {
            if (seen.stage == Stage::finishing && !rules.trackFinished) {
                overtime.step = Overtime::Step::none;  // it came to its own end just then
                return {};
            }
            const std::uint64_t graceEnds = overtime.sinceNs + rules.graceNs;
            if (nowNs >= graceEnds) {
                return take(overtime, Overtime::Step::lastWord, Act::lastWord, nowNs,
                            nowNs + kLastWordNs);
            }
            if (seen.stage == Stage::ending) {
                return {.lookAgainNs = graceEnds};
            }
            const std::uint64_t again = overtime.actedNs + kInterruptAgainNs;
            if (nowNs >= again) {
                return interrupt(rules, overtime, Act::interruptAgain, nowNs);
            }
            return {.lookAgainNs = std::min(again, graceEnds)};
        }
        case Overtime::Step::lastWord:
        case Overtime::Step::terminated: {
            const bool said = overtime.step == Overtime::Step::lastWord;
            const std::uint64_t due = overtime.actedNs + (said ? kLastWordNs : kTerminateNs);
            return nowNs >= due ? end(overtime, nowNs) : Judgement{.lookAgainNs = due};
        }
    }
    return {};
}

}  // namespace muster::manager
