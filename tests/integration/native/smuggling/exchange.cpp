// Writes and reads in turns, so that neither side waits for the other for ever.
#include "exchange.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "fastcgi/client.h"
#include "support/streams/reference.h"

namespace muster::smuggling {
namespace {

using fastcgi::RecordType;
using fastcgi::streams::Reference;

class Exchange {
  public:
    Exchange(UniqueFd fd, const Case& what, int patienceMs)
        : fd_(std::move(fd)), case_(what), patienceMs_(patienceMs) {}

    Outcome run() {
        std::size_t sent = 0;
        auto wait = case_.waits.begin();
        for (const std::size_t end : ends()) {
            for (; wait != case_.waits.end() && *wait <= sent && goesOn(); ++wait) {
                awaitAnswers(due(*wait));
            }
            if (case_.pauseAt != 0 && sent == case_.pauseAt) {
                ::poll(nullptr, 0, static_cast<int>(case_.pauseMs));
            }
            send(std::string_view(case_.stream).substr(sent, end - sent));
            sent = end;
        }
        finish();
        return std::move(outcome_);
    }

  private:
    [[nodiscard]] bool goesOn() const { return !outcome_.closed && outcome_.problem.empty(); }

    [[nodiscard]] std::vector<std::size_t> ends() const {
        std::vector<std::size_t> ends = case_.cuts;
        ends.insert(ends.end(), case_.waits.begin(), case_.waits.end());
        ends.push_back(case_.stream.size());
        std::sort(ends.begin(), ends.end());
        ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
        return ends;
    }

    /// How many requests have been begun in these bytes, and which of them is the last.
    [[nodiscard]] std::size_t due(std::size_t bytes) const {
        return Reference(case_.stream.substr(0, bytes), {}).requests().size();
    }

    void awaitAnswers(std::size_t count) {
        while (goesOn() && ended_ < count) {
            step({});
        }
    }

    void send(std::string_view bytes) {
        while (goesOn() && !bytes.empty()) {
            bytes.remove_prefix(step(bytes));
        }
    }

    /// The connection's end is waited for, unless both sides could go on.
    void finish() {
        const Reference reference(case_.stream, {});
        const auto& told = reference.requests();
        const bool closes = std::any_of(told.begin(), told.end(),
                                        [](const auto& request) { return !request.keepAlive; });
        if (!closes && reference.isWhole()) {
            awaitAnswers(told.size());
            return;
        }
        if (!closes) {
            ::shutdown(fd_.get(), SHUT_WR);
        }
        while (goesOn()) {
            step({});
        }
    }

    /// Waits until something can be done; how many of the bytes were sent.
    std::size_t step(std::string_view bytes) {
        pollfd entry{fd_.get(), static_cast<short>(bytes.empty() ? POLLIN : POLLIN | POLLOUT), 0};
        if (::poll(&entry, 1, patienceMs_) == 0) {
            outcome_.problem = "the server is silent";
            return 0;
        }
        if ((entry.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
            receive();
        }
        if ((entry.revents & POLLOUT) == 0 || !goesOn()) {
            return 0;
        }
        const ssize_t n =
            ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN) {
            while (goesOn()) {
                receive();  // it closed: what it said before is still there
            }
            return 0;
        }
        return n < 0 ? 0 : static_cast<std::size_t>(n);
    }

    void receive() {
        char block[65536];
        const ssize_t n = ::recv(fd_.get(), block, sizeof block, 0);
        if (n <= 0) {
            outcome_.closed = true;
            if (!input_.empty()) {
                outcome_.problem = "closed amid a record";
            }
            return;
        }
        input_.append(block, static_cast<std::size_t>(n));
        std::size_t at = 0;
        while (outcome_.problem.empty() && takeRecord(at)) {
        }
        input_.erase(0, at);
    }

    bool takeRecord(std::size_t& at) {
        if (input_.size() - at < fastcgi::kHeaderSize) {
            return false;
        }
        const std::span<const char> bytes(input_.data() + at, fastcgi::kHeaderSize);
        const auto header =
            fastcgi::decodeHeader(std::as_bytes(bytes).first<fastcgi::kHeaderSize>());
        const std::size_t size = fastcgi::kHeaderSize + header.contentLength + header.paddingLength;
        if (input_.size() - at < size) {
            return false;
        }
        note(header,
             std::string_view(input_).substr(at + fastcgi::kHeaderSize, header.contentLength));
        at += size;
        return true;
    }

    Answer& answerOf(std::uint16_t id) {
        std::vector<Answer>& answers = outcome_.answers;
        if (answers.empty() || answers.back().ended || answers.back().id != id) {
            if (!answers.empty() && !answers.back().ended) {
                outcome_.problem = "two answers at a time";
            }
            answers.push_back({.id = id, .out = {}, .err = {}});
        }
        return answers.back();
    }

    void note(const fastcgi::RecordHeader& header, std::string_view content) {
        if (header.version != 1) {
            outcome_.problem = "a record of another version";
        } else if (header.type == RecordType::stdOut) {
            answerOf(header.requestId).out += content;
        } else if (header.type == RecordType::stdErr) {
            answerOf(header.requestId).err += content;
        } else if (header.type == RecordType::endRequest && content.size() == 8) {
            if (content[4] == static_cast<char>(fastcgi::ProtocolStatus::cantMultiplex)) {
                ++outcome_.refused;
                return;
            }
            answerOf(header.requestId).ended = true;
            ++ended_;
        } else if (header.type != RecordType::getValuesResult || header.requestId != 0) {
            outcome_.problem = "a record that no server sends";
        }
    }

    const UniqueFd fd_;
    const Case& case_;
    const int patienceMs_;
    std::string input_;
    std::size_t ended_ = 0;
    Outcome outcome_;
};

}  // namespace

Outcome exchange(const std::string& address, const Case& what, int patienceMs) {
    auto fd = fastcgi::connectTo(address);
    if (!fd) {
        Outcome outcome;
        outcome.refusedConnection = true;
        outcome.problem = fd.error().text();
        return outcome;
    }
    return Exchange(std::move(*fd), what, patienceMs).run();
}

}  // namespace muster::smuggling
