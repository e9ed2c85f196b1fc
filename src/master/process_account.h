// process.max: how many workers each pool may have, over all pools (spec lifecycle §5.1).
//
// The master's book, pure arithmetic. Managers ask for room before they fork and give it back when
// a worker goes for good; what they say is bounded here. While one generation of a pool replaces
// another the pool counts with the larger of the two, so that a reload succeeds when all room is
// taken; generations that only finish their last requests are not counted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace muster::master {

class ProcessAccount {
  public:
    enum class Side { current, incoming };
    /// What a new generation starts with, and the most it may ever have.
    struct Wish {
        std::string pool;
        int initial = 0;
        int most = 0;
    };
    struct Grant {
        std::string pool;
        Side side = Side::current;
        int workers = 0;
    };

    void setLimit(int processMax) { limit_ = processMax; }  ///< 0: unlimited

    /// Opens the accounts of new generations. Each gets what its pool has already, as far as the
    /// limit allows, then the free room is given out in the order of the wishes, as php-fpm does.
    /// What is missing counts as asked for.
    void open(const std::vector<Wish>& wishes);
    /// A new generation of the pool has an account.
    [[nodiscard]] bool isOpen(const std::string& pool) const;
    [[nodiscard]] int held(const std::string& pool, Side side) const;

    void ask(const std::string& pool, Side side, std::uint32_t more);
    void giveBack(const std::string& pool, Side side, std::uint32_t fewer);

    /// The new generation is ready: the old one counts no more.
    void replace(const std::string& pool);
    /// The new generation has failed.
    void withdraw(const std::string& pool);
    /// The manager is dead: its room stays reserved for the next one.
    void suspend(const std::string& pool);
    /// The pool is to go.
    void forget(const std::string& pool);
    /// A generation from before there was a limit has that many workers.
    void found(const std::string& pool, int workers);

    /// A generation in force, from the program before this one: its account as it was.
    void adopt(const std::string& name, int held, int asked, int most);
    /// What the generation in force has asked for in vain.
    [[nodiscard]] int asked(const std::string& pool) const;

    /// Gives out what there is, in turns, and books it: to be told to the managers.
    [[nodiscard]] std::vector<Grant> share();

    /// True once for each time that room was asked for in vain since some was last given.
    [[nodiscard]] bool takeWarning();

  private:
    struct Account {
        int held = 0;
        int asked = 0;
        int most = 0;
        bool fresh = false;  ///< asked for since the last look
    };
    struct Pool {
        std::string name;
        Account current;
        std::optional<Account> incoming;

        [[nodiscard]] int counted() const;  ///< now, with both generations there
        [[nodiscard]] int later() const;    ///< once the new one has replaced the old one
    };
    struct Sums {
        int counted = 0;
        int later = 0;
    };

    Pool* find(const std::string& name);
    Account* account(const std::string& pool, Side side);
    [[nodiscard]] Sums sums() const;
    bool giveOne(Pool& pool, Account& account, Sums& sums) const;
    void noteShortage();

    int limit_ = 0;
    std::vector<Pool> pools_;
    std::size_t turn_ = 0;  ///< whose turn it is to be given first
    bool warned_ = false;
    bool warning_ = false;
};

}  // namespace muster::master
