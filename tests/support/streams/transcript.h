// Drives a RequestReader to the end of a stream that comes in pieces and writes down what happens.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "fastcgi/request_reader.h"
#include "support/streams/records.h"

namespace muster::fastcgi::streams {

class Transcript {
  public:
    void feed(std::string_view piece) {
        while (!piece.empty() && !over_) {
            const std::span<char> room = reader_->room();
            const std::string_view fitting = piece.substr(0, room.size());
            std::copy(fitting.begin(), fitting.end(), room.begin());
            reader_->received(fitting.size());
            piece.remove_prefix(fitting.size());
            run();
        }
    }

    /// As when a worker parks the connection and another one takes it up: possible between two
    /// requests and amid a head. False when the new reader refuses what the old one left.
    [[nodiscard]] bool handOver() {
        if (over_ || inRequest_) {
            return true;
        }
        auto other = std::make_unique<RequestReader>(kSmallLimits);
        const bool taken = other->resume(reader_->partialHead(), reader_->lateData()) &&
                           !other->hasReplies() && other->headBegun() == reader_->headBegun() &&
                           other->partialHead() == reader_->partialHead();
        reader_ = std::move(other);
        return taken;
    }

    [[nodiscard]] const std::string& text() const { return text_; }

  private:
    void run() {
        using Progress = RequestReader::Progress;
        for (;;) {
            char block[7];
            std::size_t taken = 0;
            const Progress progress =
                inRequest_ ? reader_->readBody(block, sizeof block, taken) : reader_->readHead();
            text_.append(block, taken);
            if (reader_->hasReplies()) {
                replies_ += reader_->takeReplies().size();
            }
            switch (progress) {
                case Progress::needMore:
                    return;
                case Progress::request:
                    inRequest_ = true;
                    text_ += "[request " + std::to_string(reader_->requestId());
                    reader_->params().forEach([&](const Params::Entry& entry) {
                        text_.append(" ").append(entry.name).append("=").append(entry.value);
                    });
                    text_ += reader_->wantsKeepAlive() ? " keep]" : " close]";
                    break;
                case Progress::ended:
                    inRequest_ = false;
                    text_ += "[end " + std::to_string(replies_) + "]";
                    break;
                case Progress::aborted:
                    text_ += "[aborted]";
                    over_ = true;
                    return;
                case Progress::violation:
                    text_ += "[violation]";
                    over_ = true;
                    return;
                case Progress::answered:
                    text_ += "[answered]";
                    break;
                case Progress::delivered:
                    break;
            }
        }
    }

    std::unique_ptr<RequestReader> reader_ = std::make_unique<RequestReader>(kSmallLimits);
    std::string text_;
    std::size_t replies_ = 0;
    bool inRequest_ = false;
    bool over_ = false;
};

}  // namespace muster::fastcgi::streams
