// A device of PyTorch's whose memory is the host's: two cards, streams with handles, an allocator that keeps what is freed by
// stream, as those of accelerators do, and counts. What PyTorch computes on it, the CPU computes. Nothing runs later than it is
// called. `device.py` builds this file and says what its functions mean.

#include <ATen/EmptyTensor.h>
#include <ATen/core/Tensor.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/resize_native.h>
#include <ATen/ops/set_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

namespace {

using c10::Device, c10::DeviceIndex, c10::Stream, c10::StreamId;
constexpr auto OURS = c10::DeviceType::PrivateUse1;
constexpr DeviceIndex CARDS = 2;
constexpr size_t GRAIN = 512;

thread_local DeviceIndex current = 0;
thread_local StreamId streams[CARDS] = {};
thread_local bool is_emulating = false;  // the CPU computes in the device's place: its copies are none of the program's
std::atomic<StreamId> made{0};
std::mutex lock;

struct Counts {
  int64_t asked, bytes_in_use, copies_to_host, waits, emulated;
} counts[CARDS];
int64_t most_bytes[CARDS] = {INT64_MAX, INT64_MAX};

// What a card captures takes memory of a pool of its own, which nothing else is given; 0: it captures nothing.
int64_t pools = 0, pool_of[CARDS] = {};

void require_no_capture(DeviceIndex card, const char* what) {
  TORCH_CHECK(!pool_of[card], what, ": operation not permitted while card ", int(card), " is capturing");
}

DeviceIndex card_of(Device device) { return device.has_index() ? device.index() : current; }

struct Block {
  void* address;
  DeviceIndex card;
  StreamId stream;
  size_t bytes;
  int64_t pool;
};
std::multimap<std::tuple<DeviceIndex, StreamId, size_t, int64_t>, void*> kept;
std::multimap<int64_t, std::pair<void*, size_t>> in_pool;

void give_back(void* context) {
  std::unique_ptr<Block> block(static_cast<Block*>(context));
  std::lock_guard guard(lock);
  counts[block->card].bytes_in_use -= block->bytes;
  kept.emplace(std::tuple(block->card, block->stream, block->bytes, block->pool), block->address);
}

struct Memory final : c10::Allocator {
  c10::DataPtr allocate(size_t wanted) override {
    const auto card = current;
    const Device device(OURS, card);
    if (!wanted) return {nullptr, nullptr, &give_back, device};
    const size_t bytes = (wanted + GRAIN - 1) / GRAIN * GRAIN;
    std::lock_guard guard(lock);
    TORCH_CHECK_WITH(OutOfMemoryError, counts[card].bytes_in_use + int64_t(bytes) <= most_bytes[card],
        "testcard out of memory. Tried to allocate ", bytes, " bytes on card ", int(card));
    counts[card].asked += 1;
    counts[card].bytes_in_use += bytes;
    const auto pool = pool_of[card];
    const auto found = kept.find(std::tuple(card, streams[card], bytes, pool));
    void* address = found == kept.end() ? std::aligned_alloc(GRAIN, bytes) : found->second;
    if (found != kept.end()) kept.erase(found);
    else if (pool) in_pool.emplace(pool, std::pair(address, bytes));
    std::memset(address, 0xff, bytes);  // NaN, or -1: what nobody has written shows
    return {address, new Block{address, card, streams[card], bytes, pool}, &give_back, device};
  }
  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }
} memory;

struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return OURS; }
  Device exchangeDevice(Device device) const override {
    const Device before = getDevice();
    setDevice(device);
    return before;
  }
  Device getDevice() const override { return {OURS, current}; }
  void setDevice(Device device) const override {
    TORCH_CHECK(device.index() >= 0 && device.index() < CARDS, "testcard has no card ", int(device.index()));
    current = device.index();
  }
  void uncheckedSetDevice(Device device) const noexcept override { current = device.index(); }
  DeviceIndex deviceCount() const noexcept override { return CARDS; }

  Stream getStream(Device device) const override { return at(device, streams[card_of(device)]); }
  Stream getDefaultStream(Device device) const override { return at(device, 0); }
  Stream getNewStream(Device device, int = 0) const override { return at(device, ++made); }
  Stream getStreamFromGlobalPool(Device device, bool = false) const override { return at(device, ++made); }
  Stream exchangeStream(Stream stream) const override {
    const Stream before = getStream(stream.device());
    streams[stream.device_index()] = stream.id();
    return before;
  }
  void* getStreamNativeHandle(const Stream stream) const override { return reinterpret_cast<void*>(stream.id()); }

  // Nothing runs later than it is called, so that there is nothing to wait for.
  bool queryStream(const Stream&) const override { return true; }
  bool queryEvent(void*) const override { return true; }
  void record(void**, const Stream&, const DeviceIndex, const c10::EventFlag) const override {}
  void block(void*, const Stream&) const override {}
  void synchronizeStream(const Stream& stream) const override { wait(stream.device_index(), "a stream is waited for"); }
  void synchronizeEvent(void*) const override { wait(current, "an event is waited for"); }
  void synchronizeDevice(const DeviceIndex card) const override { wait(card, "a card is waited for"); }

 private:
  static void wait(DeviceIndex card, const char* what) {
    require_no_capture(card, what);
    counts[card].waits += 1;
  }
  static Stream at(Device device, StreamId id) { return Stream(Stream::UNSAFE, {OURS, card_of(device)}, id); }
};
C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard)

struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(DeviceIndex) const override { return true; }
  DeviceIndex deviceCount() const override { return CARDS; }
  DeviceIndex getCurrentDevice() const override { return current; }
  void setCurrentDevice(DeviceIndex card) const override { current = card; }
  DeviceIndex exchangeDevice(DeviceIndex card) const override { return std::exchange(current, card); }
  DeviceIndex maybeExchangeDevice(DeviceIndex card) const override { return card < 0 ? current : std::exchange(current, card); }
  void resizePrivateUse1Bytes(const c10::Storage& storage, size_t bytes) const override {
    const c10::DeviceGuard guard(storage.device());
    auto fresh = memory.allocate(bytes);
    if (bytes && storage.nbytes()) std::memcpy(fresh.get(), storage.data(), std::min(bytes, storage.nbytes()));
    storage.set_data_ptr_noswap(std::move(fresh));
    storage.set_nbytes(bytes);
  }
} hooks;

at::Tensor empty(at::IntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
    std::optional<Device> device, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  const c10::OptionalDeviceGuard guard(device);
  constexpr c10::DispatchKeySet keys(c10::DispatchKey::PrivateUse1);
  return at::detail::empty_generic(size, &memory, keys, c10::dtype_or_default(dtype), format);
}

at::Tensor empty_strided(at::IntArrayRef size, at::IntArrayRef stride, std::optional<at::ScalarType> dtype,
    std::optional<at::Layout>, std::optional<Device> device, std::optional<bool>) {
  const c10::OptionalDeviceGuard guard(device);
  constexpr c10::DispatchKeySet keys(c10::DispatchKey::PrivateUse1);
  return at::detail::empty_strided_generic(size, stride, &memory, keys, c10::dtype_or_default(dtype));
}

at::Tensor on_host(const at::Tensor& x) {  // the same memory
  if (x.is_cpu()) return x;
  auto host = at::from_blob(x.data_ptr(), x.sizes(), x.strides(), x.options().device(c10::kCPU));
  if (x.is_neg()) host._set_neg(true);
  if (x.is_conj()) host._set_conj(true);
  return host;
}

// Copies within a card that it captures: they keep nothing alive. `note_copy` is told the place of each.
std::vector<std::pair<at::Tensor, at::Tensor>> copies;
void (*note_copy)(int64_t) = nullptr;

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool non_blocking) {
  if (!is_emulating && to.device() == from.device() && pool_of[to.device().index()]) {
    copies.emplace_back(on_host(to), on_host(from));
    note_copy(int64_t(copies.size()) - 1);
    return to;
  }
  if (!is_emulating) require_no_capture((to.is_cpu() ? from : to).device().index(), "a copy between devices");
  if (!is_emulating && to.is_cpu()) counts[from.device().index()].copies_to_host += 1;
  if (!is_emulating && from.is_cpu() && !non_blocking) counts[to.device().index()].waits += 1;
  on_host(to).copy_(on_host(from));
  return to;
}

const at::Tensor& resize(const at::Tensor& x, at::IntArrayRef size, std::optional<at::MemoryFormat> format) {
  const c10::DeviceGuard guard(x.device());
  return at::native::resize_(x, size, format);
}

at::Tensor copy_from_and_resize(const at::Tensor& from, const at::Tensor& to) {
  if (to.sizes() != from.sizes()) resize(to, from.sizes(), std::nullopt);
  return copy_from(from, to, false);
}

at::Scalar local_scalar(const at::Tensor& x) {
  require_no_capture(x.device().index(), "a number is asked for");
  counts[x.device().index()].copies_to_host += 1;
  return on_host(x).item();
}

struct Emulation {  // while one lives, the CPU computes in the card's place
  const bool before = std::exchange(is_emulating, true);
  Emulation() {
    require_no_capture(current, "an operator that the CPU computes");
    counts[current].emulated += 1;
  }
  ~Emulation() { is_emulating = before; }
};

void emulate(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  c10::OptionalDeviceGuard guard;
  for (const auto& argument : torch::jit::last(*stack, op.schema().arguments().size()))
    if (argument.isTensor() && argument.toTensor().defined() && argument.toTensor().device().type() == OURS)
      guard.reset_device(argument.toTensor().device());
  const Emulation emulation;
  at::native::cpu_fallback(op, stack);
}

// Convolutions are the two operators of PyTorch's for which a device without a kernel of its own has no other way.
using Sizes = c10::SymIntArrayRef;

at::Tensor convolution(const at::Tensor& x, const at::Tensor& w, const std::optional<at::Tensor>& bias, Sizes stride,
    Sizes padding, Sizes dilation, bool transposed, Sizes output_padding, c10::SymInt groups) {
  const Emulation emulation;
  const auto host_bias = bias && bias->defined() ? std::optional(on_host(*bias)) : std::nullopt;
  return at::convolution_symint(on_host(x), on_host(w), host_bias, stride, padding, dilation, transposed, output_padding, groups)
      .to(x.device());
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> convolution_backward(const at::Tensor& dy, const at::Tensor& x,
    const at::Tensor& w, Sizes stride, Sizes padding, Sizes dilation, bool transposed, Sizes output_padding, c10::SymInt groups,
    std::array<bool, 3> wanted) {
  const Emulation emulation;
  const auto channels = w.sym_size(transposed ? 1 : 0) * (transposed ? groups : c10::SymInt(1));
  auto [dx, dw, db] = at::convolution_backward_symint(on_host(dy), on_host(x), on_host(w), c10::SymIntArrayRef({channels}),
      stride, padding, dilation, transposed, output_padding, groups, wanted);
  const auto there = [&](const at::Tensor& found) { return found.defined() ? found.to(x.device()) : found; };
  return {there(dx), there(dw), there(db)};
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, m) { m.fallback(torch::CppFunction::makeFromBoxedFunction<&emulate>()); }

TORCH_LIBRARY_IMPL(_, AutocastPrivateUse1, m) { m.fallback(torch::CppFunction::makeFallthrough()); }

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("empty.memory_format", &empty);
  m.impl("empty_strided", &empty_strided);
  m.impl("as_strided", &at::native::as_strided_tensorimpl);
  m.impl("view", &at::native::view);
  m.impl("_reshape_alias", &at::native::_reshape_alias);
  m.impl("resize_", &resize);
  m.impl("set_.source_Storage", &at::native::set_);
  m.impl("set_.source_Storage_storage_offset", &at::native::set_storage_cpu_);
  m.impl("_copy_from", &copy_from);
  m.impl("_copy_from_and_resize", &copy_from_and_resize);
  m.impl("_local_scalar_dense", &local_scalar);
  m.impl("convolution_overrideable", &convolution);
  m.impl("convolution_backward_overrideable", &convolution_backward);
}

}  // namespace

extern "C" {
void testcard_register() {
  c10::SetAllocator(OURS, &memory);
  at::RegisterPrivateUse1HooksInterface(&hooks);
}
int64_t testcard_stream(int32_t card) { return streams[card]; }
int32_t testcard_current() { return current; }
void testcard_counts(int32_t card, int64_t* five) {
  std::lock_guard guard(lock);
  std::memcpy(five, &counts[card], sizeof(Counts));
}
int64_t testcard_capture(int32_t card, void (*on_copy)(int64_t)) {
  note_copy = on_copy;
  return pool_of[card] = ++pools;
}
void testcard_copy(int64_t place) { copies[place].first.copy_(copies[place].second); }
void testcard_end_capture(int32_t card) { pool_of[card] = 0; }
void testcard_forget(int64_t pool) {  // as before a replay: what was captured may find anything in its memory
  std::lock_guard guard(lock);
  const auto [first, last] = in_pool.equal_range(pool);
  for (auto block = first; block != last; ++block) std::memset(block->second.first, 0xff, block->second.second);
}
void testcard_limit(int32_t card, int64_t bytes) {
  std::lock_guard guard(lock);
  most_bytes[card] = bytes;
}
}
