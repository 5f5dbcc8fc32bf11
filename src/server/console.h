// Where a command says what it has to say: the two streams of its process, or those of a guest.
#pragma once

#include <string_view>

#include "base/result.h"

namespace sluice::server {

class Console {  // any thread
 public:
  virtual ~Console() = default;
  virtual void Out(std::string_view bytes) = 0;   // standard output
  virtual void Note(std::string_view bytes) = 0;  // standard error
  virtual bool terminal() const = 0;              // whether standard error is one
  // An error once what is said is not heard any more: who listened is gone, the disk is full.
  virtual Status heard() = 0;
};

}  // namespace sluice::server
