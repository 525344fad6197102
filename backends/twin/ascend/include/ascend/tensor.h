// LocalTensor, GlobalTensor, and the static allocation of on-chip memory: TPipe and TBuf.
#pragma once
#include "machine.h"

#define ASCEND_IS_AIC (::twin::is_cube())
#define ASCEND_IS_AIV (!::twin::is_cube())
#define KERNEL_TASK_TYPE_DEFAULT(type) ::twin::declare_task(type, ::twin::Site(__LINE__))

namespace twin {

constexpr Memory memory_of(AscendC::TPosition position) {
  using P = AscendC::TPosition;
  switch (position) {
    case P::A1:
    case P::B1:
    case P::C1:
      return Memory::l1;
    case P::A2:
      return Memory::l0a;
    case P::B2:
      return Memory::l0b;
    case P::CO1:
      return Memory::l0c;
    case P::C2:
      return Memory::bt;
    default:
      return Memory::ub;
  }
}

}  // namespace twin

namespace AscendC {

using twin::Site;

inline int64_t GetBlockIdx() { return twin::block_index(); }
inline int64_t GetBlockNum() { return twin::block_count(); }
inline int64_t GetSubBlockIdx() { return twin::sub_block_index(); }
inline void InitSocState() { twin::declare_state(); }

// A typed view of on-chip memory.
template <class T>
class LocalTensor {
 public:
  using PrimType = T;
  LocalTensor() : view_{twin::Memory::ub, TPosition::VECCALC, 0, 0, 0} {}
  explicit LocalTensor(twin::Local view) : view_(view) {}
  LocalTensor(TPosition position, uint32_t address, uint32_t elements)
      : view_{twin::memory_of(position), position, address, address, address + int64_t{elements} * int64_t{sizeof(T)}} {}

  LocalTensor operator[](uint32_t element) const {
    twin::Local view = view_;
    view.offset += int64_t{element} * int64_t{sizeof(T)};
    return LocalTensor(view);
  }
  template <class U>
  LocalTensor<U> ReinterpretCast() const {
    return LocalTensor<U>(view_);
  }
  T GetValue(uint32_t index, Site site = Site::here()) const {
    T value;
    twin::scalar_read((*this)[index].view_, &value, sizeof(T), site);
    return value;
  }
  void SetValue(uint32_t index, T value, Site site = Site::here()) const {
    twin::scalar_write((*this)[index].view_, &value, sizeof(T), site);
  }
  uint32_t GetSize() const { return static_cast<uint32_t>((view_.end - view_.offset) / int64_t{sizeof(T)}); }
  TPosition GetPosition() const { return view_.position; }
  twin::Local view() const { return view_; }

 private:
  twin::Local view_;
};

// A typed view of global memory.
template <class T>
class GlobalTensor {
 public:
  using PrimType = T;
  void SetGlobalBuffer(T* buffer, uint64_t elements) {
    view_.address = view_.begin = reinterpret_cast<uint8_t*>(buffer);
    view_.end = view_.begin + elements * sizeof(T);
  }
  void SetGlobalBuffer(T* buffer) { SetGlobalBuffer(buffer, uint64_t{1} << 40); }
  GlobalTensor operator[](uint64_t element) const {
    GlobalTensor moved = *this;
    moved.view_.address += element * sizeof(T);
    return moved;
  }
  T GetValue(uint64_t index, Site site = Site::here()) const {
    T value;
    twin::scalar_read((*this)[index].view_, &value, sizeof(T), site);
    return value;
  }
  void SetValue(uint64_t index, T value, Site site = Site::here()) const {
    twin::scalar_write((*this)[index].view_, &value, sizeof(T), site);
  }
  uint64_t GetSize() const { return static_cast<uint64_t>(view_.end - view_.begin) / sizeof(T); }
  T* GetPhyAddr() const { return reinterpret_cast<T*>(view_.address); }
  twin::Global view() const { return view_; }

 private:
  twin::Global view_ = {nullptr, nullptr, nullptr};
};

// A piece of one on-chip memory, allocated for the whole kernel.
template <TPosition position = TPosition::LCM>
class TBuf {
 public:
  template <class T>
  LocalTensor<T> Get() const {
    return view<T>(0, bytes_);
  }
  template <class T>
  LocalTensor<T> Get(uint32_t elements) const {
    return view<T>(0, int64_t{elements} * int64_t{sizeof(T)});
  }
  template <class T>
  LocalTensor<T> GetWithOffset(uint32_t elements, uint32_t byteOffset) const {
    return view<T>(byteOffset, int64_t{elements} * int64_t{sizeof(T)});
  }

 private:
  friend class TPipe;
  template <class T>
  LocalTensor<T> view(int64_t offset, int64_t bytes) const {
    const int64_t begin = start_ + offset;
    const int64_t limit = start_ + bytes_;
    return LocalTensor<T>(
        twin::Local{twin::memory_of(position), position, begin, begin, begin + bytes < limit ? begin + bytes : limit});
  }
  int64_t start_ = 0, bytes_ = 0;
};

class TPipe {
 public:
  explicit TPipe(Site site = Site::here()) : site_(site) { twin::declare_pipe(site); }
  ~TPipe() { twin::destroy_pipe(site_); }
  TPipe(const TPipe&) = delete;
  TPipe& operator=(const TPipe&) = delete;
  template <TPosition position>
  bool InitBuffer(TBuf<position>& buffer, twin::Narrow<uint32_t> bytes, Site site = Site::here()) {
    const int64_t rounded = (int64_t{uint32_t{bytes}} + 31) / 32 * 32;
    buffer.start_ = twin::allocate(twin::memory_of(position), rounded, site);
    buffer.bytes_ = rounded;
    return true;
  }

 private:
  Site site_;
};

}  // namespace AscendC
