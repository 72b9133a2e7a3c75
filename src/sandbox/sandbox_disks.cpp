// Block devices of the host that a container is given: linux.devices of type b.

#include "sandbox/sandbox.h"

#include <sys/sysmacros.h>

namespace runvm::sandbox {

// One after another, each noted before it is plugged: whatever fails, it is taken away with the container.
Promised<void> Sandbox::plug_disks(const ProcessPtr& init, protocol::Container::Builder container) {
    Promised<void> plugged = Result<void>();
    for (auto device : container.getDevices()) {
        if (!device.getIsHostDisk())
            continue;
        DiskRequest disk;
        disk.serial = "runvm-" + std::to_string(next_disk_++);
        disk.device =
            makedev(static_cast<unsigned>(device.getMajor()), static_cast<unsigned>(device.getMinor()));
        disk.readonly = device.getReadonly();
        device.setSerial(disk.serial);
        std::string step = std::string("give the machine ") + device.getPath().cStr();
        plugged = plugged.then([this, init, disk, step](Result<void>&& before) -> Promised<void> {
            if (!before || is_deleted(init))
                return kj::mv(before);
            containers_.at(init->container_id).disks.push_back(disk.serial);
            return machine_.plug_disk(disk).then(
                [step](Result<void>&& result) { return std::move(result).context(step); });
        });
    }
    auto awake = suspension_.keep_awake(); // the guest takes part in it
    return plugged.attach(kj::mv(awake));
}

void Sandbox::unplug_disks(const ContainerRecord& record) {
    for (const std::string& serial : record.disks)
        tasks_.add(machine_.unplug_disk(serial).ignoreResult());
}

} // namespace runvm::sandbox
