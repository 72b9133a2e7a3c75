// SPDX-License-Identifier: GPL-2.0
/*
 * Tells the watches of an inode (inotify, fanotify) of something that the host has done to it. virtiofs
 * carries no such events, and no system call makes one without changing the file, which a read-only share
 * forbids and which the host's own watches would see.
 *
 * /dev/runvm-notify takes one struct runvm_event a write, and is for the agent alone. What it can do harms
 * nobody but the guest.
 */

#include <linux/capability.h>
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fsnotify_backend.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

/* As src/agent/event_forge.cpp writes it. */
struct runvm_event {
    __s32 fd;       /* of the watched inode, O_PATH will do */
    __u32 mask;     /* IN_*; 0: only ask whether it is watched */
    __u32 name_len; /* what follows: the entry of a folder that it is about; 0: the inode itself */
};

/* What the host can do; the rest the kernel says itself. */
#define FORGEABLE                                                                                            \
    (FS_MODIFY | FS_ATTRIB | FS_CLOSE_WRITE | FS_MOVED_FROM | FS_MOVED_TO | FS_CREATE | FS_DELETE |          \
     FS_DELETE_SELF | FS_MOVE_SELF)

/* What the guest remembers of the entry may be what it was before. */
static void forget_entry(struct dentry* folder, struct qstr* name) {
    struct dentry* entry;

    name->hash = full_name_hash(folder, name->name, name->len);
    entry = d_lookup(folder, name);
    if (!entry)
        return;
    if (!d_mountpoint(entry))
        d_invalidate(entry);
    dput(entry);
}

/*
 * What changes the folder itself is told to the folder. Of an event on an entry the kernel tells both, the
 * folder with a name and the entry without: the entry may not be known here, and an inode that nobody watches
 * stands for it.
 */
static void tell_folder(struct inode* folder, __u32 mask, struct qstr* name, struct inode* stand_in) {
    if (mask & ALL_FSNOTIFY_DIRENT_EVENTS)
        fsnotify(mask, folder, FSNOTIFY_EVENT_INODE, folder, name, NULL, 0);
    else
        fsnotify(mask | FS_EVENT_ON_CHILD, folder, FSNOTIFY_EVENT_INODE, folder, name, stand_in, 0);
}

static ssize_t notify_write(struct file* device, const char __user* buffer, size_t size, loff_t* offset) {
    struct runvm_event event;
    char text[NAME_MAX + 1];
    struct qstr name = {.name = text};
    struct inode* inode;
    struct file* file;

    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (size < sizeof(event) || copy_from_user(&event, buffer, sizeof(event)))
        return -EINVAL;
    if (event.name_len > NAME_MAX || size != sizeof(event) + event.name_len ||
        (event.mask & ~(FORGEABLE | FS_ISDIR)))
        return -EINVAL;
    if (copy_from_user(text, buffer + sizeof(event), event.name_len))
        return -EFAULT;
    text[event.name_len] = '\0';
    name.len = event.name_len;

    file = fget_raw(event.fd);
    if (!file)
        return -EBADF;
    inode = file_inode(file);
    if (name.len && !S_ISDIR(inode->i_mode)) {
        fput(file);
        return -ENOTDIR;
    }
    if (!READ_ONCE(inode->i_fsnotify_mask)) {
        fput(file);
        return -ENOENT; /* nobody watches it any more */
    }
    if (event.mask && name.len) {
        forget_entry(file->f_path.dentry, &name);
        tell_folder(inode, event.mask, &name, file_inode(device));
    } else if (event.mask) {
        fsnotify(event.mask, inode, FSNOTIFY_EVENT_INODE, NULL, NULL, inode, 0);
    }
    fput(file);
    return size;
}

static const struct file_operations notify_operations = {
    .owner = THIS_MODULE,
    .write = notify_write,
    .llseek = noop_llseek,
};

static struct miscdevice notify_device = {
    .minor = MISC_DYNAMIC_MINOR,
    .name = "runvm-notify",
    .fops = &notify_operations,
    .mode = 0600,
};
module_misc_device(notify_device);

MODULE_DESCRIPTION("Forges file events");
MODULE_LICENSE("GPL");
