// Walks a stack of calls through arbitrary memory that changes meanwhile, and writes its entry.
//
// Input: how deep to look, how many changes; the changes (after how many reads, where, to what);
// then the memory itself, which begins at kBase with the two pointers a walk starts from.
#include <array>
#include <cstring>
#include <vector>

#include "base/escape.h"
#include "input.h"
#include "log/slow_log_entry.h"
#include "runtime/php/stack_walk.h"

namespace {

using namespace muster;

constexpr std::uint64_t kBase = 0x1000;
constexpr std::size_t kMostText = 1023;
constexpr std::uint64_t kMostReads = 20'000;

struct Change {
    unsigned after = 0;
    std::size_t where = 0;
    std::uint64_t what = 0;
};

class Memory final : public MemoryReader {
  public:
    explicit Memory(fuzz::Input& input) {
        for (unsigned n = input.byte() % 8; n > 0; --n) {
            const unsigned after = input.byte();
            const std::size_t where = input.byte() * 8;
            changes_.push_back({after, where, input.number()});
        }
        bytes_.assign(input.rest().begin(), input.rest().end());
    }

    bool read(std::uint64_t address, void* buffer, std::size_t n) noexcept override {
        fuzz::hold(++reads_ <= kMostReads, "a bounded number of reads");
        for (const Change& change : changes_) {
            if (reads_ % 256 == change.after && change.where + 8 <= bytes_.size()) {
                std::memcpy(&bytes_[change.where], &change.what, 8);
            }
        }
        if (address < kBase || address - kBase > bytes_.size() ||
            bytes_.size() - (address - kBase) < n) {
            return false;
        }
        std::memcpy(buffer, bytes_.data() + (address - kBase), n);
        return true;
    }

  private:
    std::vector<Change> changes_;
    std::vector<char> bytes_;
    std::uint64_t reads_ = 0;
};

/// As in tests/unit/runtime_php/stack_walk_test.cpp.
php::StackLayout layout() {
    constexpr std::uint32_t kCode = 1U << 16;
    constexpr std::uint32_t kTop = 1U << 17;
    php::StackLayout layout;
    layout.currentFrame = kBase;
    layout.scriptPath = kBase + 8;
    layout.frame = {.size = 80, .instruction = 0, .function = 24, .callInfo = 40, .previous = 48};
    layout.function = {.type = 0, .name = 8, .file = 152, .internal = 1};
    layout.instructionLine = 24;
    layout.text = {.length = 16, .bytes = 24};
    layout.call = {.kind = kCode | kTop, .topOfFile = kCode | kTop};
    return layout;
}

void checkText(const std::string& entry, const Backtrace& trace) {
    std::size_t lines = 0;
    for (const char c : entry) {
        lines += c == '\n' ? 1 : 0;
        fuzz::hold(c == '\n' || !isControl(c), "no control byte", entry);
    }
    const std::size_t remark = trace.broken || trace.moving ? 1 : 0;
    fuzz::hold(lines == 3 + trace.frames.size() + remark, "a line for each call", entry);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const std::size_t depth = input.byte() % 40;
    Memory memory(input);
    const Backtrace trace = php::walkStack(memory, layout(), depth);
    fuzz::hold(trace.frames.size() <= depth, "no deeper than asked");
    fuzz::hold(trace.script.size() <= kMostText, "the path is cut", trace.script);
    for (const BacktraceFrame& frame : trace.frames) {
        fuzz::hold(frame.function.size() <= kMostText, "the name is cut", frame.function);
        fuzz::hold(frame.file.size() <= kMostText, "the file is cut", frame.file);
    }
    log::SlowRequest request;
    request.pool = "www";
    request.reason = "slow";
    checkText(log::slowLogText(request, trace, false), trace);
    const std::string json = log::slowLogJson(request, trace);
    fuzz::hold(json.find('\n') == json.size() - 1, "one line", json);
    return 0;
}
