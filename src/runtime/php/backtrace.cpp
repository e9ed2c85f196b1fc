// Offsets from the headers of the engine the plugin is built for.
#include "runtime/php/backtrace.h"

#include <cstddef>

#include "runtime/php/engine.h"

namespace muster::php {

StackLayout engineLayout() {
    StackLayout layout;
    layout.currentFrame = reinterpret_cast<std::uintptr_t>(&EG(current_execute_data));
    layout.scriptPath = reinterpret_cast<std::uintptr_t>(&SG(request_info).path_translated);
    layout.frame.size = sizeof(zend_execute_data);
    layout.frame.instruction = offsetof(zend_execute_data, opline);
    layout.frame.function = offsetof(zend_execute_data, func);
    layout.frame.callInfo = offsetof(zend_execute_data, This.u1.type_info);
    layout.frame.previous = offsetof(zend_execute_data, prev_execute_data);
    layout.function.type = offsetof(zend_function, type);
    layout.function.name = offsetof(zend_function, common.function_name);
    layout.function.file = offsetof(zend_function, op_array.filename);
    layout.function.internal = ZEND_INTERNAL_FUNCTION;
    layout.instructionLine = offsetof(zend_op, lineno);
    layout.text.length = offsetof(zend_string, len);
    layout.text.bytes = offsetof(zend_string, val);
    layout.call.kind = ZEND_CALL_CODE | ZEND_CALL_TOP;
    layout.call.topOfFile = ZEND_CALL_TOP_CODE;
    return layout;
}

static_assert(!ZEND_USER_CODE(ZEND_INTERNAL_FUNCTION) && ZEND_USER_CODE(ZEND_USER_FUNCTION));

}  // namespace muster::php
