#include "grin/base/listener.h"

#include <utility>

namespace grin {
namespace {

thread_local const Listener* current_listener = nullptr;

}  // namespace

ListenerScope::ListenerScope(Listener listener)
    : own_(std::move(listener)), before_(std::exchange(current_listener, &own_)) {}

ListenerScope::ListenerScope(const Listener* listener)
    : before_(std::exchange(current_listener, listener)) {}

ListenerScope::~ListenerScope() { current_listener = before_; }

const Listener* CurrentListener() { return current_listener; }

}  // namespace grin
