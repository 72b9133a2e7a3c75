#pragma once
// A call's parameters are gone when it has to wait: what is needed later is copied.

#include <capnp/message.h>

namespace runvm::sandbox {

template <class T>
struct Copied {
    explicit Copied(typename T::Reader reader) { message.setRoot(reader); }
    typename T::Reader get() { return message.getRoot<T>().asReader(); }
    capnp::MallocMessageBuilder message;
};

} // namespace runvm::sandbox
