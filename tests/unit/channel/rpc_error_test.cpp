#include "channel/rpc_error.h"

#include <capnp/message.h>
#include <gtest/gtest.h>

#include <string>

namespace runvm::channel {
namespace {

Error round_trip(const Error& error) {
    capnp::MallocMessageBuilder message;
    auto out = message.initRoot<protocol::Error>();
    write_error(error, out);
    return read_error(out.asReader());
}

/// As a hostile guest would send it: not through write_error.
Error read_message(std::string_view text) {
    capnp::MallocMessageBuilder message;
    auto out = message.initRoot<protocol::Error>();
    auto field = out.initMessage(static_cast<unsigned>(text.size()));
    std::copy(text.begin(), text.end(), field.begin());
    return read_error(out.asReader());
}

TEST(RpcError, survives_the_way) {
    Error error(ErrorKind::command_not_found, "exec: \"Ωxyz\" not found\nsecond line", 2);
    error.add_context("inner").add_context("outer");
    Error copy = round_trip(error);
    EXPECT_EQ(copy.kind(), ErrorKind::command_not_found);
    EXPECT_EQ(copy.errno_value(), 2);
    EXPECT_EQ(copy.message(), error.message());
    EXPECT_EQ(copy.context(), error.context());
}

TEST(RpcError, knows_every_kind) {
    for (int kind = 0; kind <= static_cast<int>(ErrorKind::process_finished); ++kind)
        EXPECT_EQ(static_cast<int>(round_trip(Error(static_cast<ErrorKind>(kind), "x")).kind()), kind);
}

TEST(RpcError, no_error_is_success) {
    capnp::MallocMessageBuilder message;
    auto out = message.initRoot<protocol::Error>();
    EXPECT_TRUE(to_result(out.asReader()).ok());
    write_error(Error(ErrorKind::timeout, "slow"), out);
    auto result = to_result(out.asReader());
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind(), ErrorKind::timeout);
}

TEST(RpcError, checks_kind_and_errno) {
    capnp::MallocMessageBuilder message;
    auto out = message.initRoot<protocol::Error>();
    out.setFailed(true);
    out.setKind(static_cast<uint16_t>(ErrorKind::interrupted)); // never travels
    out.setErrnoValue(4096);
    EXPECT_EQ(read_error(out.asReader()).kind(), ErrorKind::internal);
    EXPECT_EQ(read_error(out.asReader()).errno_value(), 0);
    out.setKind(65535);
    out.setErrnoValue(-1);
    EXPECT_EQ(read_error(out.asReader()).kind(), ErrorKind::internal);
    EXPECT_EQ(read_error(out.asReader()).errno_value(), 0);
}

TEST(RpcError, makes_text_printable) {
    EXPECT_EQ(read_message("a\x1b[2Jb\rc\td\x7f").message(), "a?[2Jb?c d?");
    EXPECT_EQ(read_message("\xc2\x9b"
                           "x")
                  .message(),
              "?x")
        << "a C1 control";
    EXPECT_EQ(read_message("a\xe2\x80\xae"
                           "b")
                  .message(),
              "a?b")
        << "right-to-left override";
    EXPECT_EQ(read_message("\xff\xc0\xaf").message(), "???") << "no UTF-8";
    EXPECT_EQ(read_message("\xe0\x80\xaf").message(), "???") << "an overlong slash";
    EXPECT_EQ(read_message("\xed\xa0\x80").message(), "???") << "a surrogate";
    EXPECT_EQ(read_message("\xf4\x90\x80\x80").message(), "????") << "beyond Unicode";
    EXPECT_EQ(read_message("\xe2\x82").message(), "??") << "cut in the midst of a character";
    EXPECT_EQ(read_message("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80").message(), "café € 😀");
    EXPECT_EQ(read_message(std::string_view("a\0b", 3)).message(), "a?b");
}

TEST(RpcError, cuts_text_at_4_KiB_between_characters) {
    EXPECT_EQ(read_message(std::string(5000, 'x')).message(), std::string(4096, 'x'));
    std::string wide = "x";
    for (int i = 0; i < 2000; ++i)
        wide += "€";
    EXPECT_EQ(read_message(wide).message(), wide.substr(0, 4096));
    EXPECT_EQ(read_message(wide).message().size(), 4096U);
    EXPECT_EQ(read_message("xx" + wide).message().size(), 4095U) << "not a part of a character";
}

TEST(RpcError, takes_sixteen_steps_of_context) {
    capnp::MallocMessageBuilder message;
    auto out = message.initRoot<protocol::Error>();
    auto context = out.initContext(100);
    for (unsigned i = 0; i < 100; ++i)
        context.set(i, std::to_string(i) + "\x1b");
    Error error = read_error(out.asReader());
    ASSERT_EQ(error.context().size(), 16U);
    EXPECT_EQ(error.context()[15], "15?");

    Error deep(ErrorKind::system, "x");
    for (int i = 0; i < 100; ++i)
        deep.add_context("step");
    write_error(deep, out);
    EXPECT_EQ(out.getContext().size(), 16U);
}

TEST(RpcError, names_what_kj_threw) {
    kj::Exception exception(kj::Exception::Type::DISCONNECTED, __FILE__, __LINE__, kj::str("peer\x1b gone"));
    Error error = from_exception(exception, "ask the agent");
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_EQ(error.to_string(), "ask the agent: peer? gone");

    kj::Exception lost(kj::Exception::Type::DISCONNECTED, __FILE__, __LINE__, kj::str("Peer disconnected."));
    EXPECT_EQ(from_exception(lost, "ask the agent").to_string(),
              "ask the agent: the other side has closed the connection");
}

} // namespace
} // namespace runvm::channel
