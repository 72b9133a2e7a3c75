#pragma once
// Errors across a Cap'n Proto channel: Result's Error to and from protocol::Error.

#include "core/result.h"
#include "protocol/common.capnp.h"

#include <kj/exception.h>

namespace runvm::channel {

void write_error(const Error& error, protocol::Error::Builder out);

/// The error that a peer sent; its sizes and its kind are checked, text is cut at 4 KiB and made printable:
/// the peer may be a hostile guest.
Error read_error(protocol::Error::Reader error);

/// Success if `error.failed` is false.
Result<void> to_result(protocol::Error::Reader error);

/// What kj threw (a broken connection, a violated limit) as an error of kind unavailable, `what` as its
/// context.
Error from_exception(const kj::Exception& exception, const char* what);

} // namespace runvm::channel
