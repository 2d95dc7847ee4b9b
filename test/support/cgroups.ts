/** /proc/self/cgroup of Docker on a host with cgroup v1 and systemd. */
export const DOCKER_V1 = `12:pids:/docker/4f5e
11:cpuset:/docker/4f5e
4:cpu,cpuacct:/docker/4f5e
1:name=systemd:/docker/4f5e
0::/system.slice/containerd.service
`;
