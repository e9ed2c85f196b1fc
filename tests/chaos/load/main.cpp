// The load of tests/chaos: begins requests at a constant rate, never waiting for answers, and
// records what became of each.
//
// A latency counts from the moment the request was due, not from when it was sent, so that a stall
// shows in all requests it delays. Stops beginning requests after so many seconds or when its
// standard input ends, whichever is first; ends when the last answer is in.
#include <event2/event.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "arrivals.h"
#include "visit.h"

namespace muster::chaos {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::nanoseconds;

struct Options {
    int port = 0;
    double rate = 100;
    double seconds = 10;
    std::uint64_t seed = 1;
    std::string file;
    std::vector<std::string> routes;
    std::vector<std::string> mix;
    int patience = 30;
};

long long inMicroseconds(Clock::time_point when) {
    return duration_cast<microseconds>(when.time_since_epoch()).count();
}

class Load {
  public:
    Load(const Options& options, Arrivals arrivals, std::FILE* record)
        : options_(options),
          arrivals_(std::move(arrivals)),
          record_(record),
          loop_(event_base_new()),
          start_(Clock::now()) {}
    ~Load() { event_base_free(loop_); }
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;

    void run() {
        const std::unique_ptr<event, decltype(&event_free)> timer(
            event_new(
                loop_, -1, 0,
                [](evutil_socket_t, short, void* self) { static_cast<Load*>(self)->beginDue(); },
                this),
            event_free);
        const std::unique_ptr<event, decltype(&event_free)> input(
            event_new(
                loop_, STDIN_FILENO, EV_READ | EV_PERSIST,
                [](evutil_socket_t, short, void* self) { static_cast<Load*>(self)->onInput(); },
                this),
            event_free);
        timer_ = timer.get();
        input_ = input.get();
        event_add(input_, nullptr);
        beginDue();
        event_base_dispatch(loop_);
    }

  private:
    void beginDue() {
        while (!over_) {
            const nanoseconds due = arrivals_.due(next_);
            const nanoseconds now = Clock::now() - start_;
            if (due > nanoseconds(static_cast<std::int64_t>(options_.seconds * 1e9))) {
                stop();
            } else if (due > now) {
                const auto wait = duration_cast<microseconds>(due - now).count() + 1;
                const timeval delay{.tv_sec = wait / 1000000, .tv_usec = wait % 1000000};
                event_add(timer_, &delay);
                return;
            } else {
                begin(next_++);
            }
        }
    }

    void begin(std::uint64_t id) {
        const auto sent = Clock::now();
        Visit::begin(loop_, options_.port, arrivals_.request(id),
                     std::chrono::seconds(options_.patience),
                     [this, sent](const Request& request, const Outcome& outcome) {
                         write(request, sent, outcome);
                     });
    }

    void write(const Request& request, Clock::time_point sent, const Outcome& outcome) {
        const auto due = start_ + arrivals_.due(request.id);
        std::fprintf(record_, "%llu,%s,%s,%lld,%lld,%lld,%d,%s,%s\n",
                     static_cast<unsigned long long>(request.id), request.sort->name.c_str(),
                     request.route->c_str(), inMicroseconds(due), inMicroseconds(sent),
                     inMicroseconds(Clock::now()), outcome.status, outcome.worker.c_str(),
                     outcome.problem.c_str());
    }

    void onInput() {
        char ignored[64];
        if (::read(STDIN_FILENO, ignored, sizeof ignored) <= 0) {
            stop();
        }
    }

    void stop() {
        over_ = true;
        event_del(input_);
        event_del(timer_);
    }

    const Options& options_;
    Arrivals arrivals_;
    std::FILE* record_;
    event_base* loop_;
    Clock::time_point start_;
    event* timer_ = nullptr;
    event* input_ = nullptr;
    std::uint64_t next_ = 0;
    bool over_ = false;
};

int run(const Options& options) {
    std::vector<Sort> sorts;
    for (const std::string& text : options.mix) {
        sorts.emplace_back();
        if (!SortText{text}.read(sorts.back()) || sorts.back().weight == 0) {
            std::fprintf(stderr, "chaos_load: no sort of request: %s\n", text.c_str());
            return 64;
        }
    }
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        static_cast<void>(::setrlimit(RLIMIT_NOFILE, &files));
    }
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> record(
        std::fopen(options.file.c_str(), "we"), std::fclose);
    if (record == nullptr || std::setvbuf(record.get(), nullptr, _IOLBF, BUFSIZ) != 0) {
        std::perror(options.file.c_str());
        return 70;
    }
    std::fputs("id,sort,route,due,sent,ended,status,worker,problem\n", record.get());
    Load load(options, Arrivals(options.rate, options.seed, sorts, options.routes), record.get());
    load.run();
    return 0;
}

}  // namespace
}  // namespace muster::chaos

int main(int count, char** words) {
    muster::chaos::Options options;
    CLI::App app("Asks a web server at a constant rate and records every answer");
    app.add_option("--port", options.port, "of the web server on 127.0.0.1")->required();
    app.add_option("--rate", options.rate, "requests per second")->check(CLI::PositiveNumber);
    app.add_option("--seconds", options.seconds, "how long requests are begun");
    app.add_option("--seed", options.seed, "of the mix");
    app.add_option("--record", options.file, "the file to write, CSV")->required();
    app.add_option("--route", options.routes, "first parts of paths, in turn")->required();
    app.add_option("--mix", options.mix, "NAME=WEIGHT[:AMOUNT], e.g. quick=90:5")->required();
    app.add_option("--patience", options.patience, "seconds without a byte that end a request");
    CLI11_PARSE(app, count, words);
    return muster::chaos::run(options);
}
