// Linked last: room behind the last shared array, so that an overrun that was reported does not also break the process.
extern "C" {
thread_local char uol_padding[64 * 1024];
}
