// PoolSet's part that deals with what managers ask for and report while they serve: room within
// process.max, crashed workers.
#include <algorithm>

#include "manager/scaling.h"
#include "master/pool_set.h"

namespace muster::master {

using manager::MessageType;

namespace {

ProcessAccount::Wish wishOf(const PoolPlan& plan) {
    const config::PoolSettings& pool = plan.inputs.pool;
    return {pool.name, manager::initialWorkers(pool), pool.maxChildren};
}

}  // namespace

void PoolSet::openAccounts(const std::vector<PoolPlan>& plans, int processMax) {
    account_.setLimit(processMax);
    for (const Pool& pool : pools_) {
        if (pool.current && !pool.current->plan.inputs.sharesProcessMax) {
            account_.found(pool.name, pool.current->generation->workersSeen());
        }
    }
    std::vector<ProcessAccount::Wish> wishes;
    std::transform(plans.begin(), plans.end(), std::back_inserter(wishes), wishOf);
    account_.open(wishes);
    shareRoom();
}

void PoolSet::reopenAccount(const PoolPlan& plan) {
    account_.open({wishOf(plan)});
    shareRoom();
}

void PoolSet::onNews(Pool& pool, ProcessAccount::Side side,
                     const manager::ControlMessage& message) {
    if (message.type == MessageType::wantRoom) {
        account_.ask(pool.name, side, message.value);
        shareRoom();
    } else if (message.type == MessageType::freeRoom) {
        account_.giveBack(pool.name, side, message.value);
        shareRoom();
    } else if (message.type == MessageType::crashed && side == ProcessAccount::Side::current) {
        events_.onCrash();
    } else if (message.type == MessageType::lost && side == ProcessAccount::Side::current &&
               pool.trial) {
        pool.trial->canary.workerLost();
        judgeTrial(pool);
    }
}

void PoolSet::shareRoom() {
    for (const ProcessAccount::Grant& grant : account_.share()) {
        Pool* pool = find(grant.pool);
        if (pool == nullptr) {
            continue;
        }
        const auto& incarnation =
            grant.side == ProcessAccount::Side::incoming ? pool->incoming : pool->current;
        if (incarnation) {
            incarnation->generation->giveRoom(grant.workers);
        }
    }
    if (account_.takeWarning()) {
        log_->warning(
            "The maximum number of processes has been reached. Please review your configuration "
            "and consider raising 'process.max'");
    }
}

}  // namespace muster::master
