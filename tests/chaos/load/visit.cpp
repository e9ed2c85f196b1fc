// Sends a request, collects its answer and judges it.
#include "visit.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include <string_view>

#include "bodies.h"

namespace muster::chaos {

namespace {

constexpr int kOk = 200;

const char* text(evhttp_request_error error) {
    switch (error) {
        case EVREQ_HTTP_TIMEOUT:
            return "no answer in time";
        case EVREQ_HTTP_EOF:
            return "the connection ended within the answer";
        case EVREQ_HTTP_INVALID_HEADER:
            return "the answer's head is wrong";
        case EVREQ_HTTP_BUFFER_ERROR:
            return "reading or writing failed";
        case EVREQ_HTTP_REQUEST_CANCEL:
            return "cancelled";
        case EVREQ_HTTP_DATA_TOO_LONG:
            return "the body is too long";
    }
    return "unknown error";
}

struct UnderWay {
    evhttp_connection* connection = nullptr;
    event_base* loop = nullptr;
    Request request;
    Visit::Done done;
    Outcome outcome{};

    void finish() {
        done(request, outcome);
        // libevent still uses the connection when its callback returns.
        const timeval now{};
        event_base_once(
            loop, -1, EV_TIMEOUT,
            [](evutil_socket_t, short, void* self) {
                auto* visit = static_cast<UnderWay*>(self);
                evhttp_connection_free(visit->connection);
                delete visit;
            },
            this, &now);
    }
};

void onError(evhttp_request_error error, void* self) {
    static_cast<UnderWay*>(self)->outcome.problem = text(error);
}

void onAnswer(evhttp_request* answer, void* self) {
    auto* visit = static_cast<UnderWay*>(self);
    Outcome& outcome = visit->outcome;
    outcome.status = answer == nullptr ? 0 : evhttp_request_get_response_code(answer);
    if (outcome.status != 0) {
        evkeyvalq* headers = evhttp_request_get_input_headers(answer);
        const char* worker = evhttp_find_header(headers, "X-Worker");
        outcome.worker = worker == nullptr ? "" : worker;
    }
    if (outcome.status == kOk && outcome.problem.empty()) {
        evbuffer* input = evhttp_request_get_input_buffer(answer);
        const std::size_t size = evbuffer_get_length(input);
        const auto* bytes = reinterpret_cast<const char*>(evbuffer_pullup(input, -1));
        outcome.problem = judge(visit->request, std::string_view(bytes, size));
    } else if (outcome.problem.empty()) {
        outcome.problem = outcome.status == 0 ? "no answer" : "status";
    }
    visit->finish();
}

}  // namespace

void Visit::begin(event_base* loop, int port, const Request& request, std::chrono::seconds patience,
                  Done done) {
    auto* visit = new UnderWay{.loop = loop, .request = request, .done = std::move(done)};
    visit->connection =
        evhttp_connection_base_new(loop, nullptr, "127.0.0.1", static_cast<unsigned short>(port));
    evhttp_connection_set_timeout(visit->connection, static_cast<int>(patience.count()));
    evhttp_request* message = evhttp_request_new(onAnswer, visit);
    evhttp_request_set_error_cb(message, onError);
    evkeyvalq* headers = evhttp_request_get_output_headers(message);
    evhttp_add_header(headers, "Host", "localhost");
    evhttp_add_header(headers, "Connection", "close");
    evhttp_cmd_type method = EVHTTP_REQ_GET;
    if (request.sort->kind == Kind::upload) {
        method = EVHTTP_REQ_POST;
        const std::string bytes = body(request);
        evhttp_add_header(headers, "Content-Type", "application/octet-stream");
        evbuffer_add(evhttp_request_get_output_buffer(message), bytes.data(), bytes.size());
    }
    if (evhttp_make_request(visit->connection, message, method, address(request).c_str()) != 0) {
        visit->outcome.problem = "the request could not be made";
        visit->finish();
    }
}

}  // namespace muster::chaos
