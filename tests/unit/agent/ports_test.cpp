#include "agent/ports.h"

#include "agent/kernel_options.h"
#include "agent/secret.h"

#include <gtest/gtest.h>
#include <kj/async-io.h>

namespace runvm::agent {
namespace {

using channel::Nonce;
using channel::PortRole;

Nonce nonce(uint8_t number) {
    Nonce made{};
    made[0] = number;
    return made;
}

class PairPorts : public testing::Test {
protected:
    PairPorts()
        : io_(kj::setupAsyncIo()), control_(io_.provider->newTwoWayPipe()),
          streams_(io_.provider->newTwoWayPipe()) {}

    ~PairPorts() noexcept override = default; // kj's promises may throw in theirs

    kj::Promise<void> host(PortRole role, uint8_t number) {
        auto& stream = role == PortRole::control ? *control_.ends[0] : *streams_.ends[0];
        return channel::handshake_host(stream, role, nonce(number)).eagerlyEvaluate(nullptr);
    }

    kj::AsyncIoContext io_;
    kj::TwoWayPipe control_;
    kj::TwoWayPipe streams_;
};

TEST_F(PairPorts, TakesOneSessionsHandshakes) {
    auto paired = pair_ports(*control_.ends[1], *streams_.ends[1]);
    auto control = host(PortRole::control, 1);
    EXPECT_FALSE(paired.poll(io_.waitScope));
    auto streams = host(PortRole::streams, 1);
    paired.wait(io_.waitScope);
    control.wait(io_.waitScope);
    streams.wait(io_.waitScope);
}

TEST_F(PairPorts, GoesOnToTheNewerSessionWhicheverPortIsBehind) {
    for (PortRole behind : {PortRole::control, PortRole::streams}) {
        PortRole ahead = behind == PortRole::control ? PortRole::streams : PortRole::control;
        auto paired = pair_ports(*control_.ends[1], *streams_.ends[1]);
        host(behind, 1).wait(io_.waitScope); // the host that did this died then
        host(ahead, 2).wait(io_.waitScope);
        EXPECT_FALSE(paired.poll(io_.waitScope));
        host(behind, 2).wait(io_.waitScope);
        paired.wait(io_.waitScope);
    }
}

TEST_F(PairPorts, TakesNothingOfTheSession) {
    auto paired = pair_ports(*control_.ends[1], *streams_.ends[1]);
    host(PortRole::streams, 9).wait(io_.waitScope);
    host(PortRole::control, 3).wait(io_.waitScope);
    host(PortRole::streams, 3).wait(io_.waitScope);
    auto written = control_.ends[0]->write("session", 7).eagerlyEvaluate(nullptr);
    paired.wait(io_.waitScope);
    std::array<char, 7> bytes{};
    control_.ends[1]->read(bytes.data(), bytes.size()).wait(io_.waitScope);
    EXPECT_EQ(std::string(bytes.data(), bytes.size()), "session");
    written.wait(io_.waitScope);
}

TEST_F(PairPorts, FailsWhenAPortBreaks) {
    auto paired = pair_ports(*control_.ends[1], *streams_.ends[1]);
    streams_.ends[0] = nullptr;
    EXPECT_ANY_THROW(paired.wait(io_.waitScope));
}

class Secret : public testing::Test {
protected:
    Secret() : io_(kj::setupAsyncIo()), pipe_(io_.provider->newTwoWayPipe()) {}

    ~Secret() noexcept override = default;

    bool check(const std::string& sent) {
        auto checked = check_secret(*pipe_.ends[1], secret_);
        auto written = pipe_.ends[0]->write(sent.data(), sent.size()).eagerlyEvaluate([](kj::Exception&&) {});
        if (sent.size() < secret_bytes)
            pipe_.ends[0]->shutdownWrite();
        return checked.wait(io_.waitScope);
    }

    const std::string secret_ = std::string(63, 'a') + "b";
    kj::AsyncIoContext io_;
    kj::TwoWayPipe pipe_;
};

TEST_F(Secret, IsAccepted) {
    EXPECT_TRUE(check(secret_));
}
TEST_F(Secret, IsRefusedIfTheFirstDigitDiffers) {
    EXPECT_FALSE(check("0" + secret_.substr(1)));
}
TEST_F(Secret, IsRefusedIfTheLastDigitDiffers) {
    EXPECT_FALSE(check(secret_.substr(0, 63) + "c"));
}
TEST_F(Secret, IsRefusedIfItIsShort) {
    EXPECT_FALSE(check(secret_.substr(0, 10)));
}

TEST(SecretForm, IsHexadecimal) {
    EXPECT_TRUE(valid_secret(std::string(64, '0')));
    EXPECT_FALSE(valid_secret(std::string(63, '0')));
    EXPECT_FALSE(valid_secret(std::string(64, 'G')));
    EXPECT_FALSE(valid_secret(""));
}

TEST(OpenPorts, RefusesUnknownChannels) {
    kj::UnixEventPort event_port;
    kj::EventLoop loop(event_port);
    kj::WaitScope scope(loop);
    EXPECT_EQ(open_ports(event_port, {{"channel", "pigeon"}}).error().kind(), ErrorKind::invalid_argument);
    EXPECT_EQ(open_ports(event_port, {{"channel", "vsock"}}).error().kind(), ErrorKind::invalid_argument);
}

TEST(KernelOptions, AreTakenFromTheCommandLine) {
    auto options =
        parse_kernel_options("console=ttyS0 runvm.channel=vsock quiet  runvm.secret=ab=cd runvm.flag\n");
    EXPECT_EQ(options.size(), 2U);
    EXPECT_EQ(options["channel"], "vsock");
    EXPECT_EQ(options["secret"], "ab=cd");
    EXPECT_TRUE(parse_kernel_options("").empty());
}

} // namespace
} // namespace runvm::agent
