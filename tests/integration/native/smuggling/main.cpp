// Runs cases against a pool, several connections at a time, and sums up.
//
// usage: smuggle ADDRESS SCRIPTS SEED CASES [FIRST]    the cases FIRST (0) … FIRST + CASES - 1
// Output: a line for each of the first failures, one for each kind, and a last one. Exits 0 when
// every answer was right, 2 when some were missing because a connection was closed that could have
// gone on, 1 when anything else came.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "case.h"
#include "exchange.h"
#include "verdict.h"

namespace {

using namespace muster::smuggling;

constexpr unsigned kThreads = 6;
constexpr unsigned kMostFailuresShown = 10;
constexpr int kPatienceMs = 20'000;

struct Tally {
    std::uint64_t cases = 0;
    std::uint64_t answered = 0;
    std::uint64_t failed = 0;
    std::uint64_t closedEarly = 0;
};

class Run {
  public:
    Run(std::string address, Site site, std::uint64_t seed, std::uint64_t first,
        std::uint64_t count)
        : address_(std::move(address)),
          site_(std::move(site)),
          seed_(seed),
          next_(first),
          end_(first + count) {}

    void work() {
        for (std::uint64_t number = next_++; number < end_; number = next_++) {
            const Case one = makeCase(site_, seed_, number);
            const Outcome outcome = exchange(address_, one, kPatienceMs);
            note(one, outcome, judge(one, outcome));
        }
    }

    int sumUp() {
        for (const auto& [kind, tally] : kinds_) {
            std::printf("%-22s %7lu cases, %7lu answers\n", kind.c_str(),
                        static_cast<unsigned long>(tally.cases),
                        static_cast<unsigned long>(tally.answered));
        }
        std::printf("seed %lu: %lu cases, %lu answers, %lu failed, %lu closed early\n",
                    static_cast<unsigned long>(seed_), static_cast<unsigned long>(all_.cases),
                    static_cast<unsigned long>(all_.answered),
                    static_cast<unsigned long>(all_.failed),
                    static_cast<unsigned long>(all_.closedEarly));
        return all_.failed > 0 ? 1 : all_.closedEarly > 0 ? 2 : 0;
    }

  private:
    void note(const Case& one, const Outcome& outcome, const Verdict& verdict) {
        const std::lock_guard guard(lock_);
        const std::string last = one.kinds.substr(one.kinds.rfind('+') + 1);
        for (Tally* tally : {&all_, &kinds_[last]}) {
            ++tally->cases;
            tally->answered += verdict.answered;
            tally->failed += verdict.failure.empty() ? 0U : 1U;
            tally->closedEarly += verdict.closedEarly ? 1U : 0U;
        }
        if ((!verdict.failure.empty() || verdict.closedEarly) && shown_++ < kMostFailuresShown) {
            std::printf("case %lu (%s), %zu answers: %s\n", static_cast<unsigned long>(one.number),
                        one.kinds.c_str(), outcome.answers.size(),
                        verdict.failure.empty() ? "closed early" : verdict.failure.c_str());
        }
    }

    const std::string address_;
    const Site site_;
    const std::uint64_t seed_;
    std::atomic<std::uint64_t> next_;
    const std::uint64_t end_;
    std::mutex lock_;
    std::map<std::string, Tally> kinds_;
    Tally all_;
    unsigned shown_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5 || argc > 6) {
        std::fprintf(stderr, "usage: smuggle ADDRESS SCRIPTS SEED CASES [FIRST]\n");
        return 64;
    }
    const auto number = [&](int i) { return std::strtoull(argv[i], nullptr, 10); };
    Run run(argv[1], {argv[2]}, number(3), argc == 6 ? number(5) : 0, number(4));
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kThreads; ++i) {
        threads.emplace_back([&] { run.work(); });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    return run.sumUp();
}
