// The framing of one connection's input, byte by byte, without its socket (spec fastcgi.md §4, §5).
//
// Bytes go in through room()/received(), requests and bodies come out. The one place that decides
// which record belongs where. A request ends with its empty STDIN record; only behind it can
// another one begin. Never blocks, makes no system call; all input is hostile. Worker side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "fastcgi/params.h"
#include "fastcgi/record.h"

namespace muster::fastcgi {

class RequestReader {
  public:
    enum class Progress {
        needMore,   ///< everything received is used up: receive more
        request,    ///< readHead: the parameters are complete
        answered,   ///< readHead: a GET_VALUES has its answer in takeReplies()
        delivered,  ///< readBody: as many bytes as asked for, and there are more
        ended,      ///< readBody: STDIN is at its end
        aborted,    ///< readBody: ABORT_REQUEST
        violation,  ///< problem() says what; final
    };

    explicit RequestReader(ParamsLimits limits);

    /// What matters of the request before: DATA of a filter may still follow its end.
    struct LateData {
        std::uint16_t requestId = 0;
        bool expected = false;
    };

    /// Forgets everything: a fresh connection.
    void reset();
    /// Takes a connection up where another reader left it: `partial` is its partialHead(). What
    /// these bytes call for was answered by the other. False when they are no beginning of a head.
    [[nodiscard]] bool resume(std::string_view partial, LateData lateData);

    /// Where to receive into; never empty when the last answer was needMore.
    [[nodiscard]] std::span<char> room();
    void received(std::size_t n);
    /// Bytes received and not yet used.
    [[nodiscard]] std::size_t buffered() const { return tail_ - head_; }

    /// Between requests only.
    [[nodiscard]] Progress readHead();
    /// Copies at most n body bytes; `taken` says how many came, whatever the answer. A null
    /// buffer discards them.
    [[nodiscard]] Progress readBody(char* buffer, std::size_t n, std::size_t& taken);

    /// True from the empty STDIN record until the next request: nothing of this one is to come.
    [[nodiscard]] bool betweenRequests() const { return phase_ == Phase::boundary; }
    /// Every byte up to the empty STDIN record was received, and none behind it.
    [[nodiscard]] bool endReceived() const;
    /// True when nothing of a record has been begun, either.
    [[nodiscard]] bool atRecordStart() const { return use_ == Use::none && buffered() == 0; }

    /// True when bytes of a next head are here, whole or in part.
    [[nodiscard]] bool headBegun() const {
        return phase_ == Phase::params || (phase_ == Phase::boundary && !atRecordStart());
    }
    /// Every byte received of the head at hand, while it is incomplete.
    [[nodiscard]] std::string partialHead() const;
    [[nodiscard]] LateData lateData() const { return {requestId_, role_ == Role::filter}; }

    /// Records for the peer that framing itself calls for; each is handed out once.
    [[nodiscard]] std::string takeReplies();
    [[nodiscard]] bool hasReplies() const { return !replies_.empty(); }

    [[nodiscard]] Params& params() { return params_; }
    [[nodiscard]] std::uint16_t requestId() const { return requestId_; }
    [[nodiscard]] bool wantsKeepAlive() const { return wantsKeepAlive_; }
    [[nodiscard]] const char* problem() const { return problem_; }

  private:
    enum class Phase { boundary, params, body, failed };
    /// What the content of the record at hand is for.
    enum class Use { none, skip, begin, foreignBegin, params, lastParams, values, body, lastBody };

    [[nodiscard]] Progress advance(char* buffer, std::size_t n, std::size_t& taken);
    [[nodiscard]] bool openRecord(const RecordHeader& header);
    [[nodiscard]] Use useBetweenRequests(const RecordHeader& header);
    [[nodiscard]] Use useOfForeignRecord(const RecordHeader& header);
    [[nodiscard]] Use useInHead(const RecordHeader& header);
    [[nodiscard]] Use useInBody(const RecordHeader& header);
    [[nodiscard]] Use skipWithinBudget(const RecordHeader& header, Use use);
    [[nodiscard]] Progress recordComplete();
    [[nodiscard]] Progress beginRequest();
    [[nodiscard]] Progress headComplete();
    void answerValues();
    void forgetHead();
    Use refuse(const char* problem);

    ParamsLimits limits_;
    std::unique_ptr<char[]> buffer_;
    std::size_t head_ = 0;
    std::size_t tail_ = 0;
    std::size_t headStart_ = 0;  ///< where in the buffer the head at hand begins or goes on
    std::string leftBuffer_;     ///< bytes of the head at hand that had to leave the buffer
    std::size_t headBytes_ = 0;  ///< of the head at hand, padding and record headers included

    Phase phase_ = Phase::boundary;
    Use use_ = Use::none;
    RecordHeader header_;
    std::size_t contentLeft_ = 0;
    std::size_t paddingLeft_ = 0;
    std::string content_;  ///< collected: BEGIN_REQUEST, PARAMS of the whole head, GET_VALUES
    std::size_t foreignBytes_ = 0;
    bool aborted_ = false;

    Params params_;
    std::uint16_t requestId_ = 0;
    Role role_ = Role::responder;
    bool wantsKeepAlive_ = false;
    std::string replies_;
    const char* problem_ = "";
};

}  // namespace muster::fastcgi
