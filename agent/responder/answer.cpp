#include "responder/answer.h"

namespace hnv::responder {

Answer answer(const Question& question, std::uint32_t vsid,
              const policy::NeighbourTable& neighbours) {
    if (question.sender == question.target) {
        return {Verdict::OwnAddress, {}};
    }
    const auto mac = neighbours.find(vsid, question.target);
    if (!mac) {
        return {Verdict::Unknown, {}};
    }
    if (*mac == question.sender_mac) {
        return {Verdict::OwnAddress, {}};
    }
    return {Verdict::Reply, *mac};
}

}  // namespace hnv::responder
