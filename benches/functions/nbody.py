# The sun and four planets.
from math import pi, sqrt
import measure


def energy(mass, x, y, z, vx, vy, vz):
    e = 0.0
    for i in range(len(mass)):
        e += 0.5 * mass[i] * (vx[i] * vx[i] + vy[i] * vy[i] + vz[i] * vz[i])
        for j in range(i + 1, len(mass)):
            dx = x[i] - x[j]
            dy = y[i] - y[j]
            dz = z[i] - z[j]
            e -= mass[i] * mass[j] / sqrt(dx * dx + dy * dy + dz * dz)
    return e


# The sun, Jupiter, Saturn, Uranus and Neptune.
def job(steps):
    days = 365.24
    solar = 4.0 * pi * pi
    mass = [
        solar, 0.000954791938424326609 * solar, 0.000285885980666130812 * solar,
        0.0000436624404335156298 * solar, 0.0000515138902046611451 * solar,
    ]
    x = [0.0, 4.84143144246472090, 8.34336671824457987, 12.8943695621391310, 15.3796971148509165]
    y = [0.0, -1.16032004402742839, 4.12479856412430479, -15.1111514016986312, -25.9193146099879641]
    z = [0.0, -0.103622044471123109, -0.403523417114321381, -0.223307578892655734, 0.179258772950371181]
    vx = [0.0, 0.00166007664274403694, -0.00276742510726411234, 0.00296460137564761618, 0.00268067772490389322]
    vy = [0.0, 0.00769901118419740425, 0.00499852801234917238, 0.00237847173959480950, 0.00162824170038242295]
    vz = [0.0, -0.0000690460016972063023, 0.0000230417297573763929, -0.0000296589568540237556, -0.0000951592254519715870]
    px = 0.0
    py = 0.0
    pz = 0.0
    for i in range(len(mass)):
        vx[i] *= days
        vy[i] *= days
        vz[i] *= days
        px += vx[i] * mass[i]
        py += vy[i] * mass[i]
        pz += vz[i] * mass[i]
    vx[0] = -px / solar
    vy[0] = -py / solar
    vz[0] = -pz / solar

    dt = 0.01
    for step in range(steps):
        for i in range(len(mass)):
            for j in range(i + 1, len(mass)):
                dx = x[i] - x[j]
                dy = y[i] - y[j]
                dz = z[i] - z[j]
                d2 = dx * dx + dy * dy + dz * dz
                pull = dt / (d2 * sqrt(d2))
                vx[i] -= dx * mass[j] * pull
                vy[i] -= dy * mass[j] * pull
                vz[i] -= dz * mass[j] * pull
                vx[j] += dx * mass[i] * pull
                vy[j] += dy * mass[i] * pull
                vz[j] += dz * mass[i] * pull
        for i in range(len(mass)):
            x[i] += dt * vx[i]
            y[i] += dt * vy[i]
            z[i] += dt * vz[i]
    return energy(mass, x, y, z, vx, vy, vz)


if __name__ == "__main__":
    measure.main(job, 4000)
