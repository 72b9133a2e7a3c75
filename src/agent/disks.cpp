#include "agent/disks.h"

#include "agent/boot.h"
#include "core/number.h"
#include "core/take_until.h"
#include "os/file.h"

#include <dirent.h>
#include <sys/sysmacros.h>

#include <memory>

namespace runvm::agent {

namespace {

constexpr const char* disks_folder = "/sys/block";
constexpr const char* driver_module = "virtio_blk";
constexpr auto plug_limit = 10 * kj::SECONDS;
constexpr auto look_interval = 10 * kj::MILLISECONDS;

std::optional<dev_t> parse_numbers(const std::string& text) {
    std::string_view rest = std::string_view(text).substr(0, text.find('\n'));
    auto major = whole_number<unsigned>(take_until(rest, ':'));
    auto minor = whole_number<unsigned>(rest);
    if (!major || !minor)
        return std::nullopt;
    return makedev(*major, *minor);
}

bool is_rule_of(protocol::DeviceRule::Reader rule, protocol::Device::Reader device) {
    return rule.getType() == 'b' && rule.getMajor() == device.getMajor() &&
           rule.getMinor() == device.getMinor();
}

} // namespace

bool Disks::are_in(protocol::Container::Reader container) {
    for (auto device : container.getDevices())
        if (device.getSerial().size() > 0)
            return true;
    return false;
}

kj::Promise<Result<kj::Own<capnp::MessageBuilder>>> Disks::resolve(protocol::Container::Reader container) {
    using Answer = Result<kj::Own<capnp::MessageBuilder>>;
    if (auto loaded = load_module_on_demand(initial_root_, driver_module); !loaded)
        return Answer(std::move(loaded).error());
    Numbers wanted;
    for (auto device : container.getDevices())
        if (device.getSerial().size() > 0)
            wanted[device.getSerial().cStr()] = 0;
    return find(std::move(wanted), timer_.now() + plug_limit)
        .then([container](Result<Numbers>&& found) -> Answer {
            if (!found)
                return std::move(found).error();
            auto message = kj::heap<capnp::MallocMessageBuilder>();
            message->setRoot(container);
            auto resolved = message->getRoot<protocol::Container>();
            auto rules = resolved.getResources().getDeviceRules();
            for (unsigned i = 0; i < container.getDevices().size(); ++i) {
                auto device = container.getDevices()[i]; // the host's numbers
                auto numbers = found->find(device.getSerial().cStr());
                if (numbers == found->end())
                    continue;
                resolved.getDevices()[i].setMajor(major(numbers->second));
                resolved.getDevices()[i].setMinor(minor(numbers->second));
                for (unsigned r = 0; r < rules.size(); ++r) {
                    if (!is_rule_of(container.getResources().getDeviceRules()[r], device))
                        continue;
                    rules[r].setMajor(major(numbers->second));
                    rules[r].setMinor(minor(numbers->second));
                }
            }
            return kj::Own<capnp::MessageBuilder>(kj::mv(message));
        });
}

kj::Promise<Result<Disks::Numbers>> Disks::find(Numbers wanted, kj::TimePoint deadline) {
    std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(disks_folder), ::closedir);
    while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
        std::string disk = std::string(disks_folder) + "/" + entry->d_name;
        auto serial = os::read_file(disk + "/serial", 64);
        auto numbers = os::read_file(disk + "/dev", 64);
        if (!serial || !numbers)
            continue;
        auto known = wanted.find(serial->substr(0, serial->find('\n')));
        if (known != wanted.end())
            known->second = parse_numbers(*numbers).value_or(0);
    }
    bool has_all = true;
    for (const auto& [serial, numbers] : wanted)
        has_all = has_all && numbers != 0;
    if (has_all)
        return Result<Numbers>(std::move(wanted));
    if (timer_.now() >= deadline)
        return Result<Numbers>(
            Error(ErrorKind::timeout, "a block device did not appear in the guest within " +
                                          std::to_string(plug_limit / kj::SECONDS) + " s"));
    return timer_.afterDelay(look_interval).then([this, wanted = std::move(wanted), deadline]() mutable {
        return find(std::move(wanted), deadline);
    });
}

} // namespace runvm::agent
