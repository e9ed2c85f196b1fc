// Who may have how many.
#include "master/process_account.h"

#include <algorithm>
#include <utility>

namespace muster::master {
namespace {

/// A number from a manager, within what makes sense.
int bounded(std::uint32_t value, int most) {
    return static_cast<int>(std::min(value, static_cast<std::uint32_t>(std::max(most, 0))));
}

}  // namespace

int ProcessAccount::Pool::counted() const {
    return std::max(current.held, incoming ? incoming->held : 0);
}

int ProcessAccount::Pool::later() const {
    return incoming ? incoming->held : current.held;
}

ProcessAccount::Pool* ProcessAccount::find(const std::string& name) {
    const auto found = std::find_if(pools_.begin(), pools_.end(),
                                    [&](const Pool& pool) { return pool.name == name; });
    return found == pools_.end() ? nullptr : &*found;
}

ProcessAccount::Account* ProcessAccount::account(const std::string& name, Side side) {
    Pool* pool = find(name);
    if (pool == nullptr || (side == Side::incoming && !pool->incoming)) {
        return nullptr;
    }
    return side == Side::incoming ? &*pool->incoming : &pool->current;
}

ProcessAccount::Sums ProcessAccount::sums() const {
    Sums sums;
    for (const Pool& pool : pools_) {
        sums.counted += pool.counted();
        sums.later += pool.later();
    }
    return sums;
}

void ProcessAccount::open(const std::vector<Wish>& wishes) {
    int free = limit_;
    for (const Pool& pool : pools_) {
        const bool renewed = std::any_of(wishes.begin(), wishes.end(),
                                         [&](const Wish& wish) { return wish.pool == pool.name; });
        free -= renewed ? 0 : pool.counted();
    }
    for (const Wish& wish : wishes) {
        Pool* pool = find(wish.pool);
        if (pool == nullptr) {
            pool = &pools_.emplace_back();
            pool->name = wish.pool;
        }
        const int kept = std::max(0, std::min({pool->current.held, wish.initial, free}));
        free -= kept;
        pool->incoming = Account{kept, wish.initial - kept, wish.most, true};
    }
    warned_ = false;
    Sums now = sums();
    for (const Wish& wish : wishes) {
        Pool& pool = *find(wish.pool);
        while (giveOne(pool, *pool.incoming, now)) {
        }
    }
    noteShortage();
}

bool ProcessAccount::isOpen(const std::string& pool) const {
    return std::any_of(pools_.begin(), pools_.end(),
                       [&](const Pool& each) { return each.name == pool && each.incoming; });
}

int ProcessAccount::held(const std::string& pool, Side side) const {
    const auto found = std::find_if(pools_.begin(), pools_.end(),
                                    [&](const Pool& each) { return each.name == pool; });
    if (found == pools_.end()) {
        return 0;
    }
    return side == Side::current ? found->current.held : found->incoming.value_or(Account{}).held;
}

void ProcessAccount::ask(const std::string& pool, Side side, std::uint32_t more) {
    if (Account* found = account(pool, side)) {
        found->asked += bounded(more, found->most - found->held - found->asked);
        found->fresh = true;
    }
}

void ProcessAccount::giveBack(const std::string& pool, Side side, std::uint32_t fewer) {
    if (Account* found = account(pool, side)) {
        found->held -= bounded(fewer, found->held);
    }
}

void ProcessAccount::replace(const std::string& name) {
    Pool* pool = find(name);
    if (pool != nullptr && pool->incoming) {
        pool->current = *std::exchange(pool->incoming, std::nullopt);
    }
}

void ProcessAccount::withdraw(const std::string& name) {
    if (Pool* pool = find(name)) {
        pool->incoming.reset();
    }
}

void ProcessAccount::suspend(const std::string& name) {
    if (Pool* pool = find(name)) {
        pool->current.asked = 0;
    }
}

void ProcessAccount::forget(const std::string& name) {
    std::erase_if(pools_, [&](const Pool& pool) { return pool.name == name; });
}

void ProcessAccount::found(const std::string& name, int workers) {
    if (Pool* pool = find(name)) {
        pool->current = Account{workers, 0, workers, false};
    }
}

void ProcessAccount::adopt(const std::string& name, int held, int asked, int most) {
    Pool& pool = pools_.emplace_back();
    pool.name = name;
    pool.current = Account{held, asked, most, false};
}

int ProcessAccount::asked(const std::string& pool) const {
    const auto found = std::find_if(pools_.begin(), pools_.end(),
                                    [&](const Pool& each) { return each.name == pool; });
    return found == pools_.end() ? 0 : found->current.asked;
}

// Within the limit now, or at least no worse than now, and within it once all replacing is done.
bool ProcessAccount::giveOne(Pool& pool, Account& account, Sums& sums) const {
    if (account.asked <= 0) {
        return false;
    }
    const Sums before{sums.counted - pool.counted(), sums.later - pool.later()};
    ++account.held;
    const Sums after{before.counted + pool.counted(), before.later + pool.later()};
    const bool fits = limit_ == 0 || (after.later <= limit_ &&
                                      (after.counted <= limit_ || after.counted == sums.counted));
    if (!fits) {
        --account.held;
        return false;
    }
    --account.asked;
    sums = after;
    return true;
}

std::vector<ProcessAccount::Grant> ProcessAccount::share() {
    std::vector<Grant> grants;
    Sums now = sums();
    const auto give = [&](Pool& pool, Account& account, Side side) {
        if (!giveOne(pool, account, now)) {
            return false;
        }
        const auto booked = std::find_if(grants.begin(), grants.end(), [&](const Grant& grant) {
            return grant.pool == pool.name && grant.side == side;
        });
        if (booked == grants.end()) {
            grants.push_back({pool.name, side, 1});
        } else {
            ++booked->workers;
        }
        return true;
    };
    for (std::size_t refused = 0; refused < pools_.size();) {
        Pool& pool = pools_[turn_ % pools_.size()];
        const bool given = (pool.incoming && give(pool, *pool.incoming, Side::incoming)) ||
                           give(pool, pool.current, Side::current);
        refused = given ? 0 : refused + 1;
        turn_ = (turn_ + 1) % pools_.size();
    }
    warned_ = warned_ && grants.empty();
    noteShortage();
    return grants;
}

void ProcessAccount::noteShortage() {
    bool isShort = false;
    const auto look = [&](Account& account) {
        isShort = isShort || (account.fresh && account.asked > 0);
        account.fresh = false;
    };
    for (Pool& pool : pools_) {
        look(pool.current);
        if (pool.incoming) {
            look(*pool.incoming);
        }
    }
    warning_ = warning_ || (isShort && !warned_);
    warned_ = warned_ || isShort;
}

bool ProcessAccount::takeWarning() {
    return std::exchange(warning_, false);
}

}  // namespace muster::master
